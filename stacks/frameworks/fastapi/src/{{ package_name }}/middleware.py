"""What happens around each request: its ID, its log line, and which hosts it may be for."""

import re
import time
from urllib.parse import quote
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

REQUEST_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)
PROBES = ("/livez", "/readyz")
log = structlog.get_logger()


class RequestLog:
    """Logs each request, and gives all its lines and its response an ID.

    It lies around Starlette's own handling of errors: their lines and responses have
    the ID, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid4())
        started, status = time.perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status == 500:
                # It was never accepted.
                status = 403
            elif message["type"].endswith("http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except WebSocketDisconnect:
                # The client has left.
                pass
            except Exception:
                # Starlette has sent a response, except to a WebSocket.
                log.exception("unhandled exception")
                if scope["type"] == "websocket" and status == 500:
                    await send({"type": "websocket.close"})
            finally:
                passed = scope["path"] in PROBES and status == 200
                # Lines below 4,096 bytes stay whole when several workers share a pipe.
                (log.debug if passed else log.info)(
                    "request",
                    method=scope.get("method", "WEBSOCKET")[:20],
                    path=quote(scope["path"])[:500],
                    status=status,
                    duration=round(time.perf_counter() - started, 6),
                    client=scope["client"][0] if scope["client"] else None,
                    user_agent=headers.get("user-agent", "")[:400],
                )


class AllowedHosts(TrustedHostMiddleware):
    """Refuses other hosts, except for probes: orchestrators use the container's address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PROBES:
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
