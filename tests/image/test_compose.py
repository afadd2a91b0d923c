"""compose.yaml: the service with its database, behind a reverse proxy."""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from containers import build_image, docker
from support import ENGINE, Service, stacks


def free_port() -> int:
    """Return a port of this machine that nothing uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module", params=stacks([("fastapi", "granian")]))
def composed(request: pytest.FixtureRequest, scaffold: Callable[..., Service], use_engine: None) -> Iterator[Service]:
    """Start everything from a checkout whose files only their owner may read."""
    framework, server = request.param
    name = f"test-{uuid4().hex[:12]}"
    answers = {"framework": framework, "server": server, "database": "postgresql", "jobs": "procrastinate"}
    service = scaffold(**answers, image_name=name, dockerfile_syntax="")
    subprocess.run(["chmod", "-R", "go-rwx", service.folder], check=True)
    subprocess.run([ENGINE, "stand-ins", "postgres:17", "nginx:1.28"], check=True)
    build_image(service.folder, name)
    ports = {"PORT": str(free_port()), "DATABASE_PORT": str(free_port())}
    service = Service(service.folder, {**os.environ, **ports, "COMPOSE_PROJECT_NAME": name})
    try:
        service.run("docker compose up --wait")
        yield service
    finally:
        service.run("docker compose down --volumes --rmi=all")


def request(service: Service, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send a request through the proxy; return the status and the body of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", int(service.env["PORT"]), timeout=60)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/json", **names})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_everything_works_behind_the_proxy(composed: Service) -> None:
    status, _ = request(composed, "/notes", b'{"text": "Buy milk"}', X_Request_ID="a-1", X_Forwarded_For="203.0.113.1")

    assert status == 201
    assert json.loads(request(composed, "/notes")[1])[0]["text"] == "Buy milk"
    # The proxy sees this machine as the gateway of its network.
    network = f"{composed.env['COMPOSE_PROJECT_NAME']}_outside"
    gateway = docker("network", "inspect", "--format={{(index .IPAM.Config 0).Gateway}}", network)
    log = composed.run("docker compose logs --no-log-prefix --no-color web").splitlines()
    lines = [json.loads(text[text.index("{") :]) for text in log if '"request_id": "a-1"' in text]
    assert [line["client"] for line in lines if line["event"] == "request"] == [gateway]


def test_large_body_is_refused(composed: Service) -> None:
    assert request(composed, "/notes", bytes(10 * 1024 * 1024 + 1))[0] == 413


def test_only_the_proxy_and_the_database_are_published_for_this_machine(composed: Service) -> None:
    containers = [json.loads(line) for line in composed.run("docker compose ps --format=json").splitlines()]
    published = {
        (container["Service"], port["URL"], str(port["PublishedPort"]))
        for container in containers
        for port in container["Publishers"] or []
        if port["PublishedPort"]
    }

    assert published == {
        ("proxy", "127.0.0.1", composed.env["PORT"]),
        ("database", "127.0.0.1", composed.env["DATABASE_PORT"]),
    }


def test_change_of_the_code_is_served(composed: Service) -> None:
    """By what `docker compose watch` does at each change."""
    settings = json.loads(composed.run("docker compose config --format=json"))["services"]["web"]
    (watched,) = settings["develop"]["watch"]
    assert (watched["action"], watched["path"]) == ("rebuild", str(composed.folder / "src"))
    for module in composed.folder.glob("src/*/*.py"):
        module.write_text(module.read_text().replace('"name": NAME', '"name": "changed"'))

    composed.run("docker compose up --build --wait web")

    assert b"changed" in request(composed, "/")[1]
