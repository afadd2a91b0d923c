"""Ubuntu's packages come only from the mirror that the user sets."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from machine import ENGINE


class Mirror(ThreadingHTTPServer):
    """An empty mirror that records the requested paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), NotFound)
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}/ubuntu"


class NotFound(BaseHTTPRequestHandler):
    """Records the path of each request."""

    server: Mirror

    def do_GET(self) -> None:
        """Record the path and respond with 404."""
        self.server.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Don't log requests."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """Serve a mirror of Ubuntu."""
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Fetch the package lists of Ubuntu 24.04 from a mirror."""
    home = tmp_path_factory.mktemp("engine")

    def lists(mirror: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "ENGINE_HOME": str(home), "ENGINE_UBUNTU_MIRROR": mirror}
        command = [ENGINE, "lists", "noble"]
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True)

    return lists


def test_without_a_mirror_no_archive_is_requested(lists):
    result = lists("")

    assert result.returncode == 4
    (message,) = result.stderr.splitlines()
    assert "set ENGINE_UBUNTU_MIRROR" in message


def test_the_given_mirror_is_requested(lists, mirror):
    result = lists(mirror.address)

    assert result.returncode == 1, result.stderr
    assert {path.removesuffix("/InRelease") for path in mirror.asked if path.endswith("/InRelease")} == {
        f"/ubuntu/dists/{suite}" for suite in ("noble", "noble-updates", "noble-security")
    }


def test_an_unreachable_mirror_is_an_error(lists, mirror):
    mirror.server_close()
    result = lists(mirror.address)

    assert result.returncode == 1
    assert "ENGINE_UBUNTU_MIRROR to one that this machine reaches" in result.stderr
