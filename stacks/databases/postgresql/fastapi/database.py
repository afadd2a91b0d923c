{% include "stacks/databases/postgresql/sqlalchemy/url.py" %}
def pool_size() -> int:
    """Return the number of connections of each worker, from the environment."""
    value = os.environ.get("DATABASE_POOL_SIZE", "5")
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= 1000):
        cure = "give a whole number from 1 to 1000"
        raise ValueError(f'DATABASE_POOL_SIZE is "{value}": {cure}')
    return int(value)


# Connections are made in the workers, when they are needed.
engine = create_async_engine(
    "postgresql+psycopg://",
    connect_args=connection_parameters(),
    pool_size=pool_size(),
    max_overflow=0,
    # Seconds to wait until a request returns one.
    pool_timeout=5,
    # Replace those that the server has closed.
    pool_pre_ping=True,
    # Errors don't show the data of a statement.
    hide_parameters=True,
)
Session = async_sessionmaker(engine, expire_on_commit=False)
{% include "stacks/databases/postgresql/sqlalchemy/connect.py" %}


# What an unavailable database raises.
UNAVAILABLE = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
# Seconds after which the readiness check fails.
PATIENCE = 2.5


async def check() -> None:
    """Raise an exception if the database can't be used."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Let /readyz depend on the database; in the end, close all connections."""
    loop = asyncio.get_running_loop()

    def wait_for_check() -> None:
        # Readiness checks run in a thread; the connections belong to this loop.
        asyncio.run_coroutine_threadsafe(check(), loop).result(PATIENCE)

    health.checks["database"] = wait_for_check
    try:
        yield
    finally:
        await engine.dispose()


def init_app(app: FastAPI) -> None:
    """Respond with 503 while the database is unavailable; /readyz depends on it."""
    for kind in UNAVAILABLE:
        app.add_exception_handler(kind, unavailable)
    app.include_router(APIRouter(lifespan=lifespan))


async def unavailable(_: Request, error: Exception) -> JSONResponse:
    """Return the response, and log the reason."""
    log.error("database unavailable", reason=str(getattr(error, "orig", None) or error))
    return JSONResponse({"error": "database unavailable"}, status_code=503)
