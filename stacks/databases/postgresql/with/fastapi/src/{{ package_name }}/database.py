"""The database: an engine made by the lifespan, and a session for each request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from sqlalchemy import Dialect, event, exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from . import health
from .postgresql import Attempts, parameters

log = structlog.get_logger()


def make_engine(url: str) -> AsyncEngine:
    """Return an engine, which connects when it is used."""
    engine = create_async_engine(
        "postgresql+psycopg://",
        connect_args=parameters(url),
        # Connections of a worker, and seconds to wait for one of them.
        pool_size=5,
        max_overflow=0,
        pool_timeout=3,
        # Replace those that the server has closed.
        pool_pre_ping=True,
        # Errors don't show a statement's parameters; PostgreSQL's DETAIL may.
        hide_parameters=True,
    )
    attempts = Attempts()

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Dialect, _: object, args: Any, kwargs: Any) -> Any:
        with attempts.attempt():
            return dialect.connect(*args, **kwargs)

    return engine


@asynccontextmanager
async def connected(app: FastAPI, url: str) -> AsyncIterator[None]:
    """Let requests and /readyz use the database; close all connections in the end."""
    engine = app.state.engine = make_engine(url)

    async def query() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def check() -> None:
        # Shielded: a query that is cancelled waits for the server.
        await asyncio.wait_for(asyncio.shield(query()), timeout=3)

    health.checks["database"] = check
    try:
        yield
    finally:
        await engine.dispose()


def register(app: FastAPI) -> None:
    """Respond with 503 while the database is away."""

    @app.exception_handler(exc.OperationalError)
    @app.exception_handler(exc.TimeoutError)
    async def unavailable(_: Request, error: Exception) -> JSONResponse:
        """Log the reason, and where the server ended a statement."""
        reason = getattr(error, "orig", error)
        # It took too long, or was in a deadlock.
        ended = getattr(reason, "sqlstate", None) is not None
        log.error("database unavailable", reason=str(reason), exc_info=ended)
        return JSONResponse({"error": "database unavailable"}, 503)


async def get_session(request: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yield a request's or WebSocket's session; what isn't committed is undone."""
    async with AsyncSession(
        request.app.state.engine, expire_on_commit=False
    ) as session:
        yield session


# It is closed before the response is sent: a slow client occupies no connection.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
