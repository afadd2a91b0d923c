

@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL server."""
    with server() as url:
        yield url


@pytest.fixture(scope="session")
def engine(postgresql: str) -> Iterator[Engine]:
    """Return connections to a database that has all tables."""
    with new_database(postgresql) as url:
        engine = create_engine(
            "postgresql+psycopg://", connect_args=conninfo_to_dict(url)
        )
        with engine.connect() as connection:
            upgrade(connection)
        yield engine
        engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """Return a session; what it and the application write is undone after the test."""
    with engine.connect() as connection:
        transaction = connection.begin()
        # Theirs are within this transaction.
        database.Session.configure(
            bind=connection, join_transaction_mode="create_savepoint"
        )
        with database.Session() as session:
            yield session
        database.Session.configure(bind=database.engine)
        transaction.rollback()
