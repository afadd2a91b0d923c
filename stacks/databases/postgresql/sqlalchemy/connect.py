

@event.listens_for({{ "engine.sync_engine" if stack.interface == "asgi" else "engine" }}, "do_connect")
def connect(
    dialect: Dialect, _: ConnectionPoolEntry, args: Any, kwargs: Any
) -> DBAPIConnection:
    """Connect, unless the last attempt has just failed."""
    attempts.check()
    try:
        return dialect.connect(*args, **kwargs)
    except psycopg.OperationalError:
        attempts.failed()
        raise
