def test_django_logs_only_exceptions_of_requests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("DEBUG", "json")
    log = logging.getLogger("django.request")

    log.warning("Not Found: /")
    log.error("Service Unavailable: /readyz")
    log.error("Internal Server Error: /", exc_info=ValueError("why"))
    logging.getLogger("django.server").error("GET / HTTP/1.1 500")

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["event"] == "Internal Server Error: /"
    assert line["exception"] == "ValueError: why"


