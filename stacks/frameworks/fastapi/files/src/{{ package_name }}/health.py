"""Liveness and readiness, for whatever watches over the service."""

from collections.abc import Callable

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

log = structlog.get_logger()

# What the service needs before it can serve, by name: each check raises an exception
# when its dependency can't be used.
checks: dict[str, Callable[[], object]] = {}


async def livez(_: Request) -> JSONResponse:
    """Say that the process is alive.

    This depends on nothing else: restarting the service would not mend a database.
    """
    return JSONResponse({"status": "ok"})


# No coroutine: checks may wait, which they do in a thread.
def readyz(_: Request) -> JSONResponse:
    """Say whether to send requests here: 503 when a dependency can't be used."""
    response, status = readiness()
    return JSONResponse(response, status_code=status)


# Starlette's routes: an application's dependencies, tags and unique ids are for its own.
router = APIRouter(
    routes=[
        Route("/livez", livez, include_in_schema=False),
        Route("/readyz", readyz, include_in_schema=False),
    ]
)


def readiness() -> tuple[dict[str, object], int]:
    """Run all checks, and give the response with its status."""
    failed = [name for name, check in checks.items() if not _passes(name, check)]
    results = {name: "failed" if name in failed else "ok" for name in checks}
    status = "unavailable" if failed else "ok"
    return {"status": status, "checks": results}, 503 if failed else 200


def _passes(name: str, check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception:
        log.exception("readiness check failed", check=name)
        return False
    return True
