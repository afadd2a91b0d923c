"""Django's backend for PostgreSQL, which doesn't wait for a database that is away.

https://docs.djangoproject.com/en/stable/ref/databases/#subclassing-the-built-in-database-backends
"""

from typing import Any

from django.db.backends.postgresql import base

from ..postgresql import Attempts


class DatabaseWrapper(base.DatabaseWrapper):
    """A thread's connection."""

    attempts = Attempts()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect, unless another thread has just failed."""
        with self.attempts.attempt():
            return super().get_new_connection(conn_params)
