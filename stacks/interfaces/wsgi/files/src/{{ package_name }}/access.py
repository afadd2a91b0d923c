# An update overwrites this file.
"""The access log: a line for each request, and an ID that all its log lines have."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from .logs import log_event

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What a proxy or a calling service may send as X-Request-ID; anything else is replaced.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Probes come every few seconds: those that pass are logged at level DEBUG.
PROBES = ("/livez", "/readyz")
# Longer paths and user agents are cut to this number of characters.
LONGEST = 1000


class AccessLog:
    """WSGI middleware that logs each request once it is served."""

    def __init__(self, application: WSGIApplication) -> None:
        """Wrap *application*."""
        self.application = application

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterator[bytes]:
        """Serve a request, and return its ID in the response."""
        response = self._respond(environ, start_response)
        # Some servers require the status before they read the body.
        next(response)
        return response

    def _respond(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterator[bytes]:
        """Start the response and yield an empty part, then yield the body."""
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid4())
        # For the application, which may pass it on to services that it calls.
        environ["HTTP_X_REQUEST_ID"] = request_id
        # The application may change it. WSGI decodes the bytes as Latin-1.
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        status = 500

        def start(line: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            headers = [*headers, ("X-Request-ID", request_id)]
            return start_response(line, headers, *exc_info)

        started = time.perf_counter()
        response: Iterable[bytes] = ()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = self.application(environ, start)
                yield b""
                if environ["REQUEST_METHOD"] == "HEAD":
                    # Not every framework omits the body of a response to HEAD.
                    next(iter(response), None)
                else:
                    yield from response
            finally:
                if hasattr(response, "close"):
                    response.close()
                _log_request(environ, path, status, time.perf_counter() - started)


def _log_request(
    environ: WSGIEnvironment, path: str, status: int, duration: float
) -> None:
    unimportant = path in PROBES and status == 200
    log_event(
        __name__,
        logging.DEBUG if unimportant else logging.INFO,
        "request",
        method=environ["REQUEST_METHOD"],
        path=path[:LONGEST],
        status=status,
        duration=round(duration, 6),
        client=environ.get("REMOTE_ADDR"),
        user_agent=environ.get("HTTP_USER_AGENT", "")[:LONGEST],
    )
