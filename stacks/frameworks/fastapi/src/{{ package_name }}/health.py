"""The probes: /livez while the process serves, /readyz while all it needs is usable."""

from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter, Response

# A tag, because applications that generate clients make IDs of routes from it:
# https://fastapi.tiangolo.com/advanced/generate-clients/
probes = APIRouter(tags=["health"], include_in_schema=False)
# By name. A check raises an exception while its dependency can't be used.
checks: dict[str, Callable[[], Awaitable[object]]] = {}
log = structlog.get_logger()


@probes.api_route("/livez", methods=["GET", "HEAD"])
async def livez() -> dict[str, str]:
    """Depend on nothing: a restart wouldn't repair a database."""
    return {"status": "ok"}


@probes.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(response: Response) -> dict[str, object]:
    """Run the checks."""
    failed = []
    for name, check in checks.items():
        try:
            await check()
        except Exception:
            log.exception("readiness check failed", check=name)
            failed.append(name)
    response.status_code = 503 if failed else 200
    return {"status": "unavailable" if failed else "ok", "failed": failed}
