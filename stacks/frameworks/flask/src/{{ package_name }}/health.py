"""The probes: /livez while the process serves, /readyz while all it needs is usable."""

from collections.abc import Callable

import structlog
from flask import Blueprint

probes = Blueprint("probes", __name__)
# By name. A check raises an exception while its dependency can't be used.
checks: dict[str, Callable[[], object]] = {}
log = structlog.get_logger()


@probes.get("/livez")
def livez() -> dict[str, str]:
    """Depend on nothing: a restart wouldn't repair a database."""
    return {"status": "ok"}


@probes.get("/readyz")
def readyz() -> tuple[dict[str, object], int]:
    """Run the checks."""
    failed = []
    for name, check in checks.items():
        try:
            check()
        except Exception:
            log.exception("readiness check failed", check=name)
            failed.append(name)
    status = "unavailable" if failed else "ok"
    return {"status": status, "failed": failed}, 503 if failed else 200
