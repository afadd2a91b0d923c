
from starlette.types import ASGIApp, Receive, Scope, Send
