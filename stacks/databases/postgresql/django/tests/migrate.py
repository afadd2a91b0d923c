def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_migrations_are_reversible() -> None:
    call_command("migrate", APP, "zero", verbosity=0)
    call_command("migrate", APP, verbosity=0)


def statements() -> dict[str, tuple[str, str]]:
    """Return the source and the SQL of each of the service's own migrations."""
    found = {}
    for (app, name), migration in MigrationLoader(None).disk_migrations.items():
        if app == APP:
            sql = StringIO()
            call_command("sqlmigrate", app, name, stdout=sql)
            source = Path(inspect.getfile(type(migration)))
            found[name] = source.read_text(encoding="utf-8"), sql.getvalue()
    return found
