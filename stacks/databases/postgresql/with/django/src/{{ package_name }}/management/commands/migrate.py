"""Django's own command, for one process at a time: the others wait for it."""

import time
from typing import Any

from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import connections

# Any number, the same for all processes.
LOCK = "SELECT pg_try_advisory_lock(4161003)"
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


class Command(migrate.Command):
    """Applies migrations."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the lock, which ends with the connection."""
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            # All new queries of a table wait behind a migration that waits for it.
            cursor.execute("SET lock_timeout = '5s'")
            # A query that waits for the lock would block CREATE INDEX CONCURRENTLY.
            cursor.execute(LOCK)
            while cursor.fetchone() != (True,):
                time.sleep(0.5)
                cursor.execute(LOCK)
            cursor.execute(INVALID)
            if names := ", ".join(name for (name,) in cursor.fetchall()):
                raise CommandError(
                    f"an index is incomplete: run DROP INDEX CONCURRENTLY {names}"
                )
        super().handle(*args, **options)
        connection.close()
