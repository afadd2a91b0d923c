"""What a WSGI server loads: ``application``."""

import os
import sys

from .logs import log_uncaught

# What keeps the application from starting is logged like all else.
sys.excepthook = log_uncaught

from django.core.wsgi import get_wsgi_application  # noqa: E402

from .access import AccessLog  # noqa: E402
from .bodies import CompleteBodies  # noqa: E402
from .probes import Probes  # noqa: E402
from .proxy import ForwardedHeaders  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")
application = ForwardedHeaders(
    AccessLog(Probes(CompleteBodies(get_wsgi_application())))
)

# Django would import the views with the first request: what fails there, fails now.
from . import urls  # noqa: E402, F401
