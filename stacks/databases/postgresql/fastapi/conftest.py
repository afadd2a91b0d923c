

@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL server."""
    with server() as url:
        yield url


@pytest.fixture(scope="session")
def database_url(postgresql: str) -> Iterator[str]:
    """Return the URL of a database that has all tables."""
    with new_database(postgresql) as url:
        engine = create_engine(
            "postgresql+psycopg://",
            connect_args=conninfo_to_dict(url),
            poolclass=NullPool,
        )
        with engine.connect() as connection:
            upgrade(connection)
        yield url


@asynccontextmanager
async def transaction(url: str) -> AsyncIterator[None]:
    """Undo what the application has written, at the end of a test."""
    engine = create_async_engine(
        "postgresql+psycopg://", connect_args=conninfo_to_dict(url), poolclass=NullPool
    )
    async with engine.connect() as connection:
        transaction = await connection.begin()
        # Its transactions are within this one.
        database.Session.configure(
            bind=connection, join_transaction_mode="create_savepoint"
        )
        yield
        database.Session.configure(bind=database.engine)
        await transaction.rollback()
