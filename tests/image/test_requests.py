"""Each server, locked down: what it does with requests of every kind."""

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pages
import pytest
from containers import Container, build_image, running
from support import Service, stacks

FORGED = {"X_Forwarded_For": "203.0.113.1", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example"}
# What a server may do with bytes that aren't a proper request: refuse them, or close the connection.
HOSTILE = {
    "garbage": b"\x00\x01\x02\xff\xfe" * 20 + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "a negative length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a length that is no number": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a method with quotes": b'"GET" / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    "a path with control characters": b"GET /\x1b[31m\x07 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a huge header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Huge: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "half a request": b"GET / HTTP/1.1\r\nHost: loc",
    "no request": b"",
}


@pytest.fixture(scope="module", params=stacks())
def stack(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a framework and a server."""
    return request.param


@pytest.fixture(scope="module")
def container(stack: tuple[str, str], build: Callable[..., str]) -> Iterator[Container]:
    """Start a service with pages."""
    framework, server = stack
    with running(build(framework=framework, server=server), *settings_of(framework)) as container:
        yield container


def settings_of(framework: str) -> list[str]:
    """Return options with what the framework requires."""
    django = ["--env=SECRET_KEY=secret-of-this-test", "--env=DATABASE_URL=sqlite://:memory:", "--env=ALLOWED_HOSTS=*"]
    return django if framework == "django" else []


def test_request_is_one_json_line(container: Container) -> None:
    response = container.request("/client?token=SECRET", X_Request_ID="line-1", User_Agent="test/1.0")

    assert (response.status, response.headers["x-request-id"]) == (200, "line-1")
    line = container.line_of("line-1")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/client", 200)
    assert (line["client"], line["user_agent"]) == (response.json["client"], "test/1.0")
    assert line["duration"] >= 0
    assert {"level", "logger", "timestamp"} <= line.keys()
    assert "SECRET" not in container.output()


@pytest.mark.parametrize("server", ["granian", pytest.param("uvicorn", marks=pytest.mark.slow)])
def test_web_socket_has_a_line(
    server: str, build: Callable[..., str], scaffold: Callable[..., Service], use_engine: None
) -> None:
    if server == "granian":
        image = build(framework="fastapi", server=server)
    else:
        # The recipe in docs/operations.md.
        service = scaffold(framework="fastapi", server=server, dockerfile_syntax="")
        service.run("uv add --no-sync websockets")
        pages.add(service.folder, "fastapi")
        image = build_image(service.folder, "test-web-socket")
    headers = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    headers += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Request-ID: "
    with running(image) as container:
        with socket.create_connection((container.host, 8000), timeout=30) as connection:
            connection.sendall(f"GET /hello?token=SECRET HTTP/1.1\r\n{headers}accepted\r\n\r\n".encode())
            received = b""
            while b"hello" not in received:
                part = connection.recv(1000)
                assert part, received
                received += part
        refusal = container.send(f"GET /none HTTP/1.1\r\n{headers}refused\r\n\r\n".encode())
        accepted, refused = container.line_of("accepted"), container.line_of("refused")

    assert received.startswith(b"HTTP/1.1 101 ")
    assert (accepted["method"], accepted["path"], accepted["status"]) == ("WEBSOCKET", "/hello", 101)
    assert refusal.startswith(b"HTTP/1.1 403 ")
    assert (refused["path"], refused["status"]) == ("/none", 403)


def test_exception_is_one_json_line_with_the_id_of_its_response(container: Container) -> None:
    response = container.request("/fail")

    assert response.status == 500
    request_id = response.headers["x-request-id"]
    container.line_of(request_id)
    exceptions = [line for line in container.lines() if "exception" in line and line["request_id"] == request_id]
    assert len(exceptions) == 1
    assert "OSError: broken\nin two lines" in exceptions[0]["exception"]
    assert container.output().count("OSError: broken") == 1


def test_forged_id_path_and_agent_stay_in_their_fields(container: Container) -> None:
    forged = 'x", "level": "critical'
    response = container.request("/%0A%7B%22event%22%3A1%7D", User_Agent=forged, X_Request_ID=forged)

    line = container.line_of(response.headers["x-request-id"])
    assert (line["level"], line["user_agent"]) == ("info", forged)
    assert line["path"].startswith("/%0A%7B%22event")


def test_line_of_a_request_is_shorter_than_a_pipe_keeps_whole(container: Container) -> None:
    agent = "\xff" * 3000
    response = container.request("/" + "%F0%9F%9A%80" * 500, User_Agent=agent, X_Request_ID="a" * 128)

    container.line_of(response.headers["x-request-id"])
    assert max(map(len, container.output().splitlines())) < 4096


def test_client_cannot_forge_its_address_scheme_or_host(container: Container) -> None:
    seen = container.request("/client", **FORGED).json

    assert seen["client"] not in ("203.0.113.1", "localhost")
    assert (seen["scheme"], seen["host"].partition(":")[0]) == ("http", "localhost")


def test_trusted_proxies_set_address_and_scheme(stack: tuple[str, str], build: Callable[..., str]) -> None:
    framework, server = stack
    # The client here is the container network's gateway. Both proxies add an address; the last one sets the scheme.
    trust = ["--env=FORWARDED_ALLOW_IPS=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16", "--env=TRUSTED_PROXIES=2"]
    forwarded = {**FORGED, "X_Forwarded_For": "198.51.100.9, 203.0.113.1, 10.0.0.7"}
    with running(build(framework=framework, server=server), *settings_of(framework), *trust) as container:
        seen = container.request("/client", **forwarded).json

    assert (seen["client"], seen["scheme"]) == ("203.0.113.1", "https")


def test_large_body_is_read_in_parts(container: Container) -> None:
    assert container.request("/size", "POST", bytes(9_000_000)).json == {"size": 9_000_000}


def test_larger_body_is_refused(container: Container) -> None:
    with closing(http.client.HTTPConnection(container.host, 8000, timeout=30)) as connection:
        connection.putrequest("POST", "/size")
        connection.putheader("Content-Length", str(50_000_000))
        connection.endheaders(b"begin")
        with connection.getresponse() as response:
            assert response.status == 413


def test_chunked_body_is_complete_or_refused(container: Container) -> None:
    # In one packet: a server that closes before it has read all resets the connection, and its response may be lost.
    head = b"POST /size HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = container.send(head + b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")

    assert response.startswith(b"HTTP/1.1 411 ") or json.loads(response.partition(b"\r\n\r\n")[2]) == {"size": 10}


def test_large_response_is_streamed(container: Container) -> None:
    # In a container with 256 MB.
    assert len(container.request("/stream").body) == 50_000_000


def test_client_that_leaves_is_no_error(stack: tuple[str, str], build: Callable[..., str]) -> None:
    framework, server = stack
    image = build(framework=framework, server=server)
    with running(image, "--env=WEB_CONCURRENCY=1", *settings_of(framework)) as container:
        before = container.output()
        with socket.create_connection((container.host, 8000)) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: left\r\n\r\n")
            connection.recv(1000)
        container.line_of("left")
        # When the only worker serves the next request, it is done with that one.
        assert container.status("/") == 200

        assert {line["level"] for line in container.lines()} == {"info"}
        new = set(container.output().splitlines()) - set(before.splitlines())
        errors = [line for line in new if re.search("error|traceback|broken|reset by peer", line, re.IGNORECASE)]
        assert [line for line in errors if not line.startswith("[INFO]")] == []  # Granian says it so


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_get_no_page_and_no_traceback(container: Container, data: bytes) -> None:
    before = container.output()
    response = container.send(data, end=True)

    assert not response.startswith(b"HTTP/1.1 200"), response[:200]
    assert container.status("/") == 200
    assert "Traceback" not in container.output()[len(before) :]
    for line in container.lines():
        assert isinstance(line, dict)


def test_long_cookie_is_accepted(container: Container) -> None:
    assert container.status("/", Cookie="a" * 8000) == 200


def test_head_has_no_body(container: Container) -> None:
    response = container.send(b"HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    head, _, body = response.partition(b"\r\n\r\n")
    assert (head.startswith(b"HTTP/1.1 200"), body) == (True, b"")


def test_probes_ignore_the_host_and_are_not_logged(container: Container) -> None:
    before = len(container.lines())
    for path in ("/livez", "/readyz"):
        assert container.status(path, Host="10.1.2.3") == 200

    assert container.lines()[before:] == []
    assert json.loads(container.request("/readyz").body)["status"] == "ok"
