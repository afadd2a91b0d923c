def test_tables_of_the_jobs_follow_the_library(empty: str) -> None:
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    names = [(file.name,) for file in files]
    with psycopg.connect(empty, autocommit=True) as connection:
        # As an earlier version left them.
        connection.execute("CREATE TABLE procrastinate_migrations (name text)")
        for file in files[:-4]:
            connection.execute(file.read_bytes())
            insert = "INSERT INTO procrastinate_migrations VALUES (%s)"
            connection.execute(insert, [file.name])

        assert finish(migrate(empty))[0] == 0

        table = "SELECT name FROM procrastinate_migrations ORDER BY name"
        assert connection.execute(table).fetchall() == names
        defer = "SELECT procrastinate_defer_jobs_v1(ARRAY[]::procrastinate_job_to_defer_v1[])"
        connection.execute(defer)


