def test_models_and_migrations_agree_and_migrations_are_reversible(empty: str) -> None:
    parameters = conninfo_to_dict(empty)
    engine = create_engine(
        "postgresql+psycopg://", connect_args=parameters, poolclass=NullPool
    )
    revisions = [*ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    with engine.connect() as connection:
        config = alembic_config(connection)
        for revision in reversed(revisions):
            command.upgrade(config, revision.revision)
            command.downgrade(config, "-1")
            command.upgrade(config, revision.revision)
            connection.commit()

        command.check(config)

        upgrade(connection)
        assert query(connection, "SELECT version_num FROM alembic_version") == [
            (revisions[0].revision,)
        ]


def statements() -> dict[str, tuple[str, str]]:
    """Return the source and the SQL of each migration."""
    found = {}
    for revision in ScriptDirectory.from_config(alembic_config()).walk_revisions():
        config = alembic_config()
        config.output_buffer = StringIO()
        before = revision.down_revision or "base"
        command.upgrade(config, f"{before}:{revision.revision}", sql=True)
        source = Path(revision.path).read_text(encoding="utf-8")
        found[revision.revision] = source, config.output_buffer.getvalue()
    return found
