import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
{% if stack.jobs.name %}
from pathlib import Path
{% endif %}
from typing import Any

{% if stack.settings.module %}
import {{ stack.settings.module }}
{% endif %}
import structlog
from alembic import command
from alembic.config import Config as AlembicConfig
{% if stack.jobs.name %}
from procrastinate.schema import SchemaManager
{% endif %}
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from .config import Config
from .database import connection_parameters
from .logs import configure_logging, log_uncaught


def start() -> None:
    """Begin to log as the service does."""
    config = {{ stack.settings.read }}
    configure_logging(config.log_level, config.log_format)


@contextmanager
def session() -> Iterator[Connection]:
    """Connect to the database."""
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args=connection_parameters(),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        yield connection


def query(connection: Connection, sql: str) -> list[Any]:
    """Execute a statement, and return its rows."""
    result = connection.execute(text(sql))
    rows = list(result) if result.returns_rows else []
    connection.commit()
    return rows


def alembic_config(connection: Connection | None = None) -> AlembicConfig:
    """Return Alembic's configuration, for migrations on this connection."""
    config = AlembicConfig()
    config.set_main_option("script_location", f"{__package__}:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Apply the migrations that aren't applied yet, each in a transaction."""
{% if stack.jobs.name %}
    upgrade_jobs(connection)
{% endif %}
    command.upgrade(alembic_config(connection), "head")
{% include stack.jobs.orm_folder ~ "/migrate.py" ignore missing %}
