"""What the service needs before it can serve requests: /readyz runs these checks."""

from collections.abc import Callable

from django.db import close_old_connections, connection


def use_database() -> None:
    """Run a query that works on any database."""
    # Django replaces broken connections at the start of a request; probes aren't
    # requests to Django.
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


# By name. A check raises an exception if its dependency can't be used.
checks: dict[str, Callable[[], object]] = {"database": use_database}
