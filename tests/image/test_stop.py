"""A stop loses no request."""

import json
import socket
import subprocess
import threading
import time
import urllib.request

import pytest
from building import build, docker

SLOW = """
    @app.get("/slow")
    def slow() -> dict[str, str]:
        import time

        time.sleep(3)
        return {"status": "finished"}

    return app
"""


@pytest.fixture(scope="module")
def slow_image(service, image, tmp_path_factory):
    """Build the service with a page that takes 3 s."""
    folder = tmp_path_factory.mktemp("slow") / "service"
    subprocess.run(["cp", "-a", service.folder, folder], check=True)
    app = folder / "src/my_service/app.py"
    app.write_text(app.read_text().replace("\n    return app\n", SLOW))
    return build(folder, "my-service:slow")


def address(container: str) -> str:
    """Give the address at which a container's port 8000 is published."""
    return docker("port", container, "8000/tcp").split()[0]


def await_ready(container: str) -> None:
    """Return when the service answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://{address(container)}/readyz", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, docker("logs", container)
            time.sleep(0.05)


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_stop_finishes_requests_in_flight(signal, slow_image):
    container = docker("run", "--detach", "--publish=127.0.0.1::8000", slow_image.name).strip()
    try:
        await_ready(container)
        answers = []

        def fetch() -> None:
            with urllib.request.urlopen(f"http://{address(container)}/slow", timeout=30) as answer:
                answers.append(json.load(answer))

        requests = [threading.Thread(target=fetch) for _ in range(2)]
        for request in requests:
            request.start()
        # Both workers are busy when health checks stop being answered; the slow page takes 3 s.
        while not busy(address(container)):
            pass
        docker("kill", f"--signal={signal}", container)
        for request in requests:
            request.join()

        assert answers == [{"status": "finished"}] * 2
        assert docker("wait", container).strip() == "0"
    finally:
        docker("rm", "--force", container)


def busy(where: str) -> bool:
    """Say whether no worker is free to answer within a short time."""
    host, port = where.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.settimeout(0.5)
        connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        try:
            return not connection.recv(1)
        except TimeoutError:
            return True
