def test_readiness_queries_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_async_engine(
        "postgresql+psycopg://", connect_args=conninfo_to_dict(database_url)
    )
    monkeypatch.setattr(database, "engine", engine)

    app = FastAPI()
    database.init_app(app)

    with TestClient(app):
        health.checks["database"]()


@pytest.mark.parametrize("size", ["", "0", "many", "-1", "1001"])
def test_invalid_pool_size_is_refused(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", size)

    with pytest.raises(ValueError, match=f'DATABASE_POOL_SIZE is "{size}": give a '):
        database.pool_size()


def test_unavailable_database_is_reported_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "attempts", database.Attempts())
    configure_logging("WARNING", "json")
    app = FastAPI()
    database.init_app(app)

    @app.get("/")
    async def index() -> str:
        async with database.engine.connect() as connection:
            return str(await connection.scalar(text("SELECT 1")))

    for reason in ("connection", "the last attempt"):
        response = TestClient(app).get("/")
        assert (response.status_code, response.json()) == (
            503,
            {"error": "database unavailable"},
        )
        (line,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert line["event"] == "database unavailable"
        assert reason in line["reason"]
