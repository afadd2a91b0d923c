import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import django
import structlog
from django.core.management import call_command
from django.db import OperationalError
from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper as Connection
from django.db.migrations.executor import MigrationExecutor

from .logs import log_uncaught


def start() -> None:
    """Read the settings, and begin to log as the service does."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")
    django.setup()


@contextmanager
def session() -> Iterator[Connection]:
    """Connect to the database."""
    with closing(default_connection):
        yield default_connection


def query(connection: Connection, sql: str) -> list[Any]:
    """Execute a statement, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def upgrade(connection: Connection) -> None:
    """Apply the migrations that aren't applied yet, each in a transaction."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    for migration, _ in plan:
        log.info("to be applied", migration=str(migration))
    call_command("migrate", interactive=False, verbosity=0)
