def test_a_server_that_took_standard_output_hands_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setenv("LOG_FD", str(log.fileno()))
        configure_logging("INFO", "json")
        structlog.get_logger().info("hello")

    assert json.loads((tmp_path / "log").read_text())["event"] == "hello"


