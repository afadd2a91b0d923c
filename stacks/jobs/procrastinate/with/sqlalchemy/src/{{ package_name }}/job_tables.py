"""The tables of Procrastinate. Its migrations are SQL files, in the order of their names.

https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

CREATE = "CREATE TABLE IF NOT EXISTS procrastinate_migrations (name text PRIMARY KEY)"
SELECT = "SELECT name FROM procrastinate_migrations"
INSERT = "INSERT INTO procrastinate_migrations VALUES (:name)"


def upgrade(connection: Connection) -> None:
    """Create the tables, or apply what a new version of the library changes."""

    def apply(script: str, *names: str) -> None:
        with connection.begin():
            connection.connection.cursor().execute(script)
            for name in names:
                connection.execute(text(INSERT), {"name": name})

    apply(CREATE)
    with connection.begin():
        applied = set(connection.scalars(text(SELECT)))
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    if not applied:
        apply(SchemaManager.get_schema(), *(file.name for file in files))
        return
    for file in files:
        if file.name not in applied:
            apply(file.read_text(encoding="utf-8"), file.name)
