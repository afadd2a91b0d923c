"""What happens around each request: its client, its ID, its log line, its size."""

import re
import time
from collections.abc import Callable
from urllib.parse import quote
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

Response = HttpResponse | StreamingHttpResponse
GetResponse = Callable[[HttpRequest], Response]

REQUEST_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)
PROBES = ("/livez", "/readyz")
log = structlog.get_logger()


def omit_body(get_response: GetResponse) -> GetResponse:
    """Respond to HEAD without a body, because not every server omits it."""

    def middleware(request: HttpRequest) -> Response:
        response = get_response(request)
        if request.method == "HEAD":
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
            else:
                response.content = b""
        return response

    return middleware


def trust_proxies(get_response: GetResponse) -> GetResponse:
    """Take the client's address from the last TRUSTED_PROXIES reverse proxies."""

    def middleware(request: HttpRequest) -> Response:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        if 0 < settings.TRUSTED_PROXIES <= len(forwarded):
            client = forwarded[-settings.TRUSTED_PROXIES].strip()
            request.META["REMOTE_ADDR"] = client or request.META["REMOTE_ADDR"]
        return get_response(request)

    return middleware


def log_requests(get_response: GetResponse) -> GetResponse:
    """Log each request, and give all its lines and its response an ID."""

    def middleware(request: HttpRequest) -> Response:
        started = time.perf_counter()
        request_id = request.headers.get("X-Request-ID", "")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = str(uuid4())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = get_response(request)
        response.headers["X-Request-ID"] = request_id
        passed = request.path in PROBES and response.status_code == 200
        # Lines below 4,096 bytes stay whole when several workers share a pipe.
        (log.debug if passed else log.info)(
            "request",
            method=(request.method or "")[:20],
            path=quote(request.path)[:500],
            status=response.status_code,
            duration=round(time.perf_counter() - started, 6),
            client=request.META.get("REMOTE_ADDR"),
            user_agent=request.headers.get("User-Agent", "")[:400],
        )
        return response

    return middleware


def limit_bodies(get_response: GetResponse) -> GetResponse:
    """Refuse large bodies, and those that Django would read as empty."""

    def middleware(request: HttpRequest) -> Response:
        if "Transfer-Encoding" in request.headers:
            return HttpResponse(status=411)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            return HttpResponse(status=400)
        if int(length) > settings.MAX_BODY_SIZE:
            return HttpResponse(status=413)
        return get_response(request)

    return middleware
