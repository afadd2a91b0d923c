def unreachable(request: HttpRequest) -> HttpResponse:
    settings = database.settings("postgresql://app@localhost:1/app")
    settings |= {"TIME_ZONE": None, "AUTOCOMMIT": True}
    base.DatabaseWrapper(settings, "other").ensure_connection()
    raise AssertionError


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [path("unreachable", unreachable), path("broken", broken)]
handler500 = database.server_error


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_unavailable_database_is_reported_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "attempts", database.Attempts())
    configure_logging("WARNING", "json")
    client = Client(raise_request_exception=False)

    for reason in ("connection", "the last attempt"):
        response = client.get("/unreachable")
        assert (response.status_code, response.json()) == (
            503,
            {"error": "database unavailable"},
        )
        (line,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert line["event"] == "database unavailable"
        assert reason in line["reason"]


@pytest.mark.urls(__name__)
def test_other_errors_are_the_servers() -> None:
    client = Client(raise_request_exception=False)

    assert client.get("/broken").status_code == 500
