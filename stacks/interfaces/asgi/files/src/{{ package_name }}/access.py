# An update overwrites this file.
"""The access log: a line for each request, and an ID that all its log lines have."""

import logging
import re
import time
from http import HTTPStatus
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .logs import log_event

# What a proxy or a calling service may send as X-Request-ID; anything else is replaced.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Probes come every few seconds: those that pass are logged at level DEBUG.
PROBES = ("/livez", "/readyz")
# Longer paths and user agents are cut to this number of characters.
LONGEST = 1000

log = structlog.get_logger(__name__)


class AccessLog:
    """ASGI middleware that logs each request once it is served.

    It also logs uncaught exceptions, because the request's ID is known only here.
    """

    def __init__(self, application: ASGIApp) -> None:
        """Wrap *application*."""
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and return its ID in the response."""
        if scope["type"] != "http":
            # The application's start and stop, or a WebSocket.
            await self.application(scope, receive, send)
            return
        request_id = _header(scope, b"x-request-id")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid4())
        header = (b"x-request-id", request_id.encode())
        added = [header]
        if _header(scope, b"content-length") and _header(scope, b"transfer-encoding"):
            # Servers may disagree where its body ends (request smuggling):
            # https://www.rfc-editor.org/rfc/rfc9112#section-6.3
            added.append((b"connection", b"close"))
        # For the application, which may pass it on to services that it calls.
        others = [pair for pair in scope["headers"] if pair[0] != b"x-request-id"]
        scope = {**scope, "headers": [*others, header]}
        started = time.perf_counter()
        status, responded, gone = 0, 0.0, False

        async def receive_from_client() -> Message:
            nonlocal gone
            message = await receive()
            gone = message["type"] == "http.disconnect"
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status, responded
            if gone and not status and message.get("status") in (500, None):
                # The client has disconnected: drop Starlette's error response.
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), *added]
                message = {**message, "headers": headers}
            elif not message.get("more_body", False):
                # Work after the response isn't part of the duration.
                responded = time.perf_counter()
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.application(scope, receive_from_client, send_with_id)
            except ClientDisconnect:
                # It may still be connected: servers also report an invalid body so.
                if not status:
                    await _send_error(send_with_id, 400)
            except Exception:
                # Don't re-raise it: the server would log it again. If the response is
                # incomplete, the server closes the connection.
                log.exception("unhandled exception")
                if not status:
                    await _send_error(send_with_id, 500)
            finally:
                duration = (responded or time.perf_counter()) - started
                _log_request(scope, status or 500, duration)


def _header(scope: Scope, name: bytes) -> str:
    values: list[bytes] = [value for key, value in scope["headers"] if key == name]
    return b",".join(values).decode("latin-1")


async def _send_error(send: Send, status: int) -> None:
    body = HTTPStatus(status).phrase.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _log_request(scope: Scope, status: int, duration: float) -> None:
    # Servers decode the path in different ways, and not all have the raw path.
    if raw_path := scope.get("raw_path"):
        path = unquote_to_bytes(raw_path).decode(errors="replace")
    else:
        path = scope["path"].encode(errors="replace").decode()
    unimportant = path in PROBES and status == 200
    log_event(
        __name__,
        logging.DEBUG if unimportant else logging.INFO,
        "request",
        method=scope["method"],
        path=path[:LONGEST],
        status=status,
        duration=round(duration, 6),
        client=(scope.get("client") or [None])[0],
        user_agent=_header(scope, b"user-agent")[:LONGEST],
    )
