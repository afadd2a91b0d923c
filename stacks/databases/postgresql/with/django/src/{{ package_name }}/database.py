"""The database: Django's settings for it, and what happens while it is away."""

import sys
from typing import Any

import environ  # type: ignore[import-untyped]
import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from .postgresql import parameters

log = structlog.get_logger()


def read_database(env: environ.Env) -> dict[str, Any]:
    """Return the settings for DATABASE_URL."""
    options = parameters(env.str("DATABASE_URL"))
    return {
        "ENGINE": f"{__package__}.backend",
        "HOST": options.pop("host", ""),
        "PORT": options.pop("port", ""),
        "NAME": options.pop("dbname", ""),
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "OPTIONS": options,
        # Each thread keeps its connection, and replaces one that the server has closed.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to an unhandled exception: with 503 while the database is away."""
    error = sys.exc_info()[1]
    if not isinstance(error, (OperationalError, InterfaceError)):
        return defaults.server_error(request)
    # Where the server ended a statement: it took too long, or was in a deadlock.
    ended = getattr(error.__cause__, "sqlstate", None) is not None
    log.error("database unavailable", reason=str(error), exc_info=ended)
    response = JsonResponse({"error": "database unavailable"}, status=503)
    # Django would log each traceback.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
