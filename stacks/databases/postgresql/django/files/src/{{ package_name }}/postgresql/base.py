# An update overwrites this file.
"""See https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from ..database import attempts


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects, unless the last attempt has just failed."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection."""
        attempts.check()
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            attempts.failed()
            raise
