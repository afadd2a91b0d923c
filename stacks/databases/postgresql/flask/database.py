{% include "stacks/databases/postgresql/sqlalchemy/url.py" %}
# Connections are made in the workers, when they are needed: as many as there are threads.
engine = create_engine(
    "postgresql+psycopg://",
    connect_args=connection_parameters(),
    pool_size=int(os.environ.get("WEB_THREADS", "{{ stack.threads }}")),
    max_overflow=0,
    # Seconds to wait until a thread returns one.
    pool_timeout=5,
    # Replace those that the server has closed.
    pool_pre_ping=True,
    # Errors don't show the data of a statement.
    hide_parameters=True,
)
Session = sessionmaker(engine)
{% include "stacks/databases/postgresql/sqlalchemy/connect.py" %}


# What an unavailable database raises.
UNAVAILABLE = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)


def check() -> None:
    """Raise an exception if the database can't be used."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def init_app(app: Flask) -> None:
    """Respond with 503 while the database is unavailable; /readyz depends on it."""
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, unavailable)
    health.checks["database"] = check


def unavailable(error: Exception) -> tuple[dict[str, str], int]:
    """Return the response, and log the reason."""
    log.error("database unavailable", reason=str(getattr(error, "orig", None) or error))
    return {"error": "database unavailable"}, 503
