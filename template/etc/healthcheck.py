# An update overwrites this file.
"""Exits with 0 when the service answers /livez with 200.

It runs every few seconds, so it imports as little as it can: an HTTP client would cost twice the time.
"""

import os
import socket

address = ("127.0.0.1", int(os.environ.get("PORT", "8000")))
with socket.create_connection(address, timeout=3) as connection:
    connection.sendall(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n")
    status_line = connection.makefile("rb").readline()
raise SystemExit(b" 200 " not in status_line)
