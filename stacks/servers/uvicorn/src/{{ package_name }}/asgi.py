"""What an ASGI server loads: ``application``."""

from .app import create_app
from .middleware import RequestLog

application = RequestLog(create_app())
