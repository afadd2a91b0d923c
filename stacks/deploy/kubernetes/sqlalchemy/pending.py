def names(connection: Connection, table: str, column: str) -> set[str]:
    """Return what is in a column, nothing if the table doesn't exist."""
    if not connection.scalar(text(f"SELECT to_regclass('{table}')")):
        return set()
    return {*connection.scalars(text(f"SELECT {column} FROM {table}"))}  # noqa: S608


def pending(connection: Connection) -> list[str]:
    """Return the migrations of this release that aren't applied."""
    scripts = ScriptDirectory.from_config(alembic_config())
    ours = [script.revision for script in scripts.walk_revisions()]
    heads = names(connection, "alembic_version", "version_num")
    if not heads.issubset(ours):
        # A newer release has migrated.
        return []
    applied = {
        script.revision
        for head in heads
        for script in scripts.walk_revisions("base", head)
    }
    {{ "own" if stack.jobs.name else "return" }}{{ " =" if stack.jobs.name }} [name for name in reversed(ours) if name not in applied]
{% if stack.jobs.name %}
    applied = names(connection, "procrastinate_migrations", "name")
    files = Path(SchemaManager.get_migrations_path()).glob("*.sql")
    return own + sorted(file.name for file in files if file.name not in applied)
{% endif %}
