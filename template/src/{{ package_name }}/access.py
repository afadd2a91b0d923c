"""A line of log for each request, and an id that all lines of a request share."""

import logging
import re
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What a proxy or a calling service may send as X-Request-ID; anything else is replaced.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Probes come every few seconds: that all is well is logged at level DEBUG only.
PROBES = ("/livez", "/readyz")
# Longer paths and user agents are cut, in characters.
LONGEST = 1000

log = structlog.get_logger(__name__)


class AccessLog:
    """WSGI middleware that logs each request once it is answered."""

    def __init__(self, application: "WSGIApplication") -> None:
        """Wrap *application*."""
        self.application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        """Answer a request, and say its id in the answer."""
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid4())
        # The application finds it there, to pass it on to services that it calls.
        environ["HTTP_X_REQUEST_ID"] = request_id
        status = 500

        def start(line: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            headers = [*headers, ("X-Request-ID", request_id)]
            return start_response(line, headers, *exc_info)

        started = time.perf_counter()
        answer: Iterable[bytes] = ()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                answer = self.application(environ, start)
                yield from answer
            finally:
                if hasattr(answer, "close"):
                    answer.close()
                _log_request(environ, status, time.perf_counter() - started)


def _log_request(environ: "WSGIEnvironment", status: int, duration: float) -> None:
    # WSGI hands in bytes as if they were Latin-1.
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    unimportant = path in PROBES and status == 200
    log.log(
        logging.DEBUG if unimportant else logging.INFO,
        "request",
        method=environ["REQUEST_METHOD"],
        path=path[:LONGEST],
        status=status,
        duration=round(duration, 6),
        client=environ.get("REMOTE_ADDR"),
        user_agent=environ.get("HTTP_USER_AGENT", "")[:LONGEST],
    )
