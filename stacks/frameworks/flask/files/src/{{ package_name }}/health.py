"""Liveness and readiness, for whatever watches over the service."""

from collections.abc import Callable

import structlog
from flask import Blueprint

blueprint = Blueprint("health", __name__)
log = structlog.get_logger()

# What the service needs before it can serve, by name: each check raises an exception
# when its dependency can't be used.
checks: dict[str, Callable[[], object]] = {}


@blueprint.get("/livez")
def livez() -> dict[str, str]:
    """Say that the process is alive.

    This depends on nothing else: restarting the service would not mend a database.
    """
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, object], int]:
    """Say whether to send requests here: 503 when a dependency can't be used."""
    return readiness()


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
