

def upgrade_jobs(connection: Connection) -> None:
    """Create the tables of the jobs, or apply what newer releases have changed."""
    table = "procrastinate_migrations"
    query(connection, f"CREATE TABLE IF NOT EXISTS {table} (name text PRIMARY KEY)")
    applied = {name for (name,) in query(connection, f"SELECT name FROM {table}")}  # noqa: S608
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    pending = [file for file in files if file.name not in applied]
    scripts = [file.read_text(encoding="utf-8") for file in pending]
    cursor = connection.connection.cursor()
    for sql in scripts if applied else [SchemaManager.get_schema()]:
        cursor.execute(sql)
    for file in pending:
        insert = text(f"INSERT INTO {table} VALUES (:name)")  # noqa: S608
        connection.execute(insert, {"name": file.name})
    connection.commit()
