"""What happens around each request: its ID, its log line, and what is refused."""

import logging
import re
import time
from urllib.parse import quote
from uuid import uuid4

import structlog
from flask import Flask, Response, abort, g, request
from werkzeug.wsgi import get_host

REQUEST_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)
PROBES = ("/livez", "/readyz")
log = structlog.get_logger()
# Flask's development server would log each request once more.
logging.getLogger("werkzeug").addFilter(
    lambda line: line.levelname != "INFO" or not line.args
)


def register(app: Flask, allowed_hosts: list[str]) -> None:
    """Add the hooks to the application."""

    @app.before_request
    def start() -> None:
        """Give the request an ID, which all its log lines and its response have."""
        g.started = time.perf_counter()
        request_id = request.headers.get("X-Request-ID", "")
        g.request_id = request_id if REQUEST_ID.fullmatch(request_id) else str(uuid4())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.before_request
    def refuse() -> None:
        """Refuse other hosts, and bodies that would be read as empty."""
        # Orchestrators probe the container's address.
        if "*" not in allowed_hosts and request.path not in PROBES:
            get_host(request.environ, allowed_hosts)
        chunked = "Transfer-Encoding" in request.headers
        if chunked and not request.environ.get("wsgi.input_terminated"):
            abort(411)

    @app.after_request
    def finish(response: Response) -> Response:
        """Log the request."""
        response.headers["X-Request-ID"] = g.request_id
        passed = request.path in PROBES and response.status_code == 200
        # Lines below 4,096 bytes stay whole when several workers share a pipe.
        (log.debug if passed else log.info)(
            "request",
            method=request.method[:20],
            path=quote(request.path)[:500],
            status=response.status_code,
            duration=round(time.perf_counter() - g.started, 6),
            client=request.remote_addr,
            user_agent=request.headers.get("User-Agent", "")[:400],
        )
        return response
