"""What an ASGI server loads: ``application``."""

import os
import signal

# Until Granian installs its handlers, a stop ends this worker: those that it inherits
# only record the signal.
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)

from granian.utils.proxies import wrap_asgi_with_proxy_headers  # noqa: E402

from .app import create_app  # noqa: E402
from .middleware import RequestLog  # noqa: E402

application = wrap_asgi_with_proxy_headers(
    RequestLog(create_app()),
    trusted_hosts=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"),
)
