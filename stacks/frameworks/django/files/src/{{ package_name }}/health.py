"""Liveness and readiness, for whatever watches over the service."""

from collections.abc import Callable

import structlog
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

log = structlog.get_logger()


def use_database() -> None:
    """Run a query that works on any database."""
    # Probes are no requests of Django's, at whose start it does this: replace a
    # connection that broke.
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


# What the service needs before it can serve, by name: each check raises an exception
# when its dependency can't be used.
checks: dict[str, Callable[[], object]] = {"database": use_database}


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """Say that the process is alive.

    This depends on nothing else: restarting the service would not mend a database.
    """
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether to send requests here: 503 when a dependency can't be used."""
    response, status = readiness()
    return JsonResponse(response, status=status)


class HealthMiddleware:
    """Responds to probes, before other middleware can refuse or redirect them.

    A probe comes without HTTPS, and its host is an address that nobody can know
    beforehand, such as a pod's, so that it can't be among ALLOWED_HOSTS.
    """

    probes: dict[str, Callable[[HttpRequest], HttpResponse]]

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Stand before *get_response*."""
        self.get_response = get_response
        self.probes = {"/livez": livez, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Respond to a probe, or pass the request on."""
        if not (probe := self.probes.get(request.path_info)):
            return self.get_response(request)
        response = probe(request)
        # CommonMiddleware does that for all others.
        response["Content-Length"] = str(len(response.content))
        return response


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
