"""The database: an engine made by the factory, and a session for each request."""

from typing import Any

import structlog
from flask import Flask, current_app, g
from sqlalchemy import Dialect, create_engine, event, exc, text
from sqlalchemy.orm import Session
from werkzeug.local import LocalProxy

from . import health
from .postgresql import Attempts, parameters

log = structlog.get_logger()


def register(app: Flask, url: str) -> None:
    """Give each request a session, and respond with 503 while the database is away."""
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args=parameters(url),
        # Connections of a worker, and seconds to wait for one of them. They are made when
        # they are needed, so that no two processes share one.
        pool_size=5,
        max_overflow=0,
        pool_timeout=3,
        # Replace those that the server has closed.
        pool_pre_ping=True,
        # Errors don't show a statement's parameters; PostgreSQL's DETAIL may.
        hide_parameters=True,
    )
    app.extensions["engine"] = engine
    attempts = Attempts()

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _: object, args: Any, kwargs: Any) -> Any:
        with attempts.attempt():
            return dialect.connect(*args, **kwargs)

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        """Return the connection; what isn't committed is undone."""
        if opened := g.pop("session", None):
            opened.close()

    @app.errorhandler(exc.OperationalError)
    @app.errorhandler(exc.TimeoutError)
    def unavailable(error: Exception) -> tuple[dict[str, str], int]:
        """Log the reason, and where the server ended a statement."""
        reason = getattr(error, "orig", error)
        # It took too long, or was in a deadlock.
        ended = getattr(reason, "sqlstate", None) is not None
        log.error("database unavailable", reason=str(reason), exc_info=ended)
        return {"error": "database unavailable"}, 503

    def check() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    health.checks["database"] = check


def get_session() -> Session:
    """Return the request's session."""
    if "session" not in g:
        g.session = Session(current_app.extensions["engine"])
    opened: Session = g.session
    return opened


session: Session = LocalProxy(get_session)  # type: ignore[assignment]
