"""What an ASGI server loads: ``application``."""

import sys

from .logs import log_uncaught

# What keeps the application from starting is logged like all else.
sys.excepthook = log_uncaught

from .access import AccessLog  # noqa: E402
from .app import create_app  # noqa: E402
from .bodies import LimitedBodies  # noqa: E402
from .probes import Probes  # noqa: E402
from .proxy import ForwardedHeaders  # noqa: E402

application = ForwardedHeaders(AccessLog(Probes(LimitedBodies(create_app()))))
