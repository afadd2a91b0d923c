# An update overwrites this file.
"""The bodies of requests: at most MAX_BODY_SIZE bytes."""

from __future__ import annotations

import os
from http import HTTPStatus

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VARIABLE = "MAX_BODY_SIZE"
DEFAULT = "10485760"


def max_body_size() -> int:
    """Return the limit, from the environment."""
    value = os.environ.get(VARIABLE, DEFAULT)
    if not (value.isascii() and value.isdecimal()):
        raise ValueError(f'{VARIABLE} is "{value}": give a number of bytes')
    return int(value)


class LimitedBodies:
    """ASGI middleware that refuses larger bodies.

    It reads the rest of a refused body, up to twice the limit: if the connection were
    closed earlier, it would be reset, and the response lost.
    """

    def __init__(self, application: ASGIApp) -> None:
        """Wrap *application*."""
        self.max_size = max_body_size()
        self.application = RequestBodyLimitMiddleware(application, self.max_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; end the response to a refused body when it has come."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        most = 2 * self.max_size
        refused, complete = False, length.isdigit() and int(length) > most

        async def receive_and_note() -> Message:
            nonlocal complete
            message = await receive()
            complete = not message.get("more_body", False)
            return message

        async def send_and_drain(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                refused = message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            elif refused and not message.get("more_body", False):
                await send({**message, "more_body": True})
                drained = 0
                while not complete and drained < most:
                    drained += len((await receive_and_note()).get("body", b""))
                message = {"type": message["type"]}
            await send(message)

        await self.application(scope, receive_and_note, send_and_drain)
