def test_log_fd_replaces_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setenv("LOG_FD", str(log.fileno()))
        configure_logging("INFO", "json")
        structlog.get_logger().info("hello")

    assert json.loads((tmp_path / "log").read_text())["event"] == "hello"


