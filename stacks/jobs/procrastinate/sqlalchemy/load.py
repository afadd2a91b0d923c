def load(concurrency: int) -> tuple[App, dict[str, Any]]:
    """Begin to log as the service does; return the app, and libpq's parameters."""
    config = {{ stack.settings.read }}
    configure_logging(config.log_level, config.log_format)
    # Each job may use a connection, and database.py makes their pool.
    os.environ["{{ "WEB_THREADS" if stack.threads else "DATABASE_POOL_SIZE" }}"] = str(concurrency)
    from .database import connection_parameters
    from .jobs import app

    return app, connection_parameters()
