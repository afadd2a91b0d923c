def test_readiness_queries_the_database(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "engine", engine)

    database.check()


def test_unavailable_database_is_reported_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "attempts", database.Attempts())
    configure_logging("WARNING", "json")
    app = Flask(__name__)
    database.init_app(app)

    @app.get("/")
    def index() -> str:
        with database.engine.connect() as connection:
            return str(connection.scalar(text("SELECT 1")))

    for reason in ("connection", "the last attempt"):
        response = app.test_client().get("/")
        assert (response.status_code, response.json) == (
            503,
            {"error": "database unavailable"},
        )
        (line,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert line["event"] == "database unavailable"
        assert reason in line["reason"]
