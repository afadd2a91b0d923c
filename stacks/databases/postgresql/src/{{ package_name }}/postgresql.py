"""How to connect to PostgreSQL."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from psycopg import OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
# DATABASE_URL may override them.
DEFAULTS = {
    # Seconds, the least that libpq allows.
    "connect_timeout": 2,
    # Milliseconds until a connection that the network drops is an error.
    "tcp_user_timeout": 3000,
    # Limits in the server.
    "options": "-c statement_timeout=10s -c idle_in_transaction_session_timeout=60s",
}
# A raw @, / or ? in the password would make a part of it the host, the port or the name.
URL = re.compile(r"postgres(ql)?://([^@/?]*@)?[^@]*")


def parameters(url: str) -> dict[str, Any]:
    """Return the parameters of a connection for DATABASE_URL.

    The password may be in a file, which DATABASE_PASSWORD_FILE names.
    """
    valid = None
    with suppress(ProgrammingError, UnicodeError):
        given = conninfo_to_dict(url)
        port = str(given.get("port", ""))
        valid = URL.fullmatch(url) and re.fullmatch(r"[\d,]*", port)
    if not valid:
        # Without the reason, which may show a part of the password.
        raise ValueError(
            "DATABASE_URL is invalid: write postgresql://user:password@host:5432/name, "
            "with %40 for @ and %2F for / in the password, and only libpq's parameters"
        )
    if file := os.environ.get("DATABASE_PASSWORD_FILE"):
        given["password"] = Path(file).read_text(encoding="utf-8").strip()
    return {**DEFAULTS, **given}


class Attempts:
    """A process's attempts to connect: for two seconds after one failed, others fail at once.

    Otherwise all workers would wait for a database that is away, and no probe would get
    a response.
    """

    def __init__(self) -> None:
        self.next = 0.0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Connect within this context."""
        if time.monotonic() < self.next:
            raise OperationalError("the last attempt to connect has just failed")
        try:
            yield
        except OperationalError:
            self.next = time.monotonic() + 2
            raise
