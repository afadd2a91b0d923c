"""The probes: /livez while the process serves, /readyz while all it needs is usable."""

from collections.abc import Callable

import structlog
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

log = structlog.get_logger()


def use_database() -> None:
    """Run a query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


# By name. A check raises an exception while its dependency can't be used.
checks: dict[str, Callable[[], object]] = {"database": use_database}


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """Depend on nothing: a restart wouldn't repair a database."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Run the checks."""
    failed = []
    for name, check in checks.items():
        try:
            check()
        except Exception:
            log.exception("readiness check failed", check=name)
            failed.append(name)
    status = "unavailable" if failed else "ok"
    return JsonResponse(
        {"status": status, "failed": failed}, status=503 if failed else 200
    )


def probes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Respond to the probes, before other middleware."""
    views = {"/livez": livez, "/readyz": readyz}

    def middleware(request: HttpRequest) -> HttpResponse:
        return views.get(request.path, get_response)(request)

    return middleware
