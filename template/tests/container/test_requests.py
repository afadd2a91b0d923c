# An update overwrites this file.
"""What becomes of requests, well-meant or not, and what is logged of them."""

import time
from uuid import UUID

import pytest
from python_on_whales import Container

from .conftest import Run, connect, get, lines, receive, wait_until

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /livez HTTP/1.1\r\nHost: localhost\r\n"

# What a client sends, and the status that it gets; none where the connection is closed.
REQUESTS = {
    "a cookie of 30 kB": (HEAD + b"Cookie: " + 30_000 * b"a" + b"\r\n\r\n", 200),
    "a cookie of 100 kB": (HEAD + b"Cookie: " + 100_000 * b"a" + b"\r\n\r\n", None),
    "2,000 headers": (
        HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(2_000)) + b"\r\n",
        None,
    ),
    "pipelined requests": (3 * (HEAD + b"\r\n"), 200),
    "a body of a petabyte": (POST + b"Content-Length: 1000000000000000\r\n\r\n", 413),
    "a body that isn't read": (
        POST + b"Content-Length: 1000\r\n\r\n" + 1000 * b"a",
        405,
    ),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "a length in words": (POST + b"Content-Length: many\r\n\r\n", 400),
    "a chunked body": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    "a body that stops": (HEAD + b"Content-Length: 9\r\n\r\nabc", 200),
    "a request that stops": (HEAD, None),
    "bytes in the path": (b"GET /\xff\x01 HTTP/1.1\r\n\r\n", 400),
    "a method in lower case": (b"get / HTTP/1.1\r\n\r\n", 400),
    "control characters in the method": (b"G\x01T / HTTP/1.1\r\n\r\n", 400),
    "another server's address": (b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
    "no HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + 200 * b"a", None),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_or_closes_and_serves_on(service: Container, name: str) -> None:
    request, status = REQUESTS[name]

    answer = receive(connect(service, request))

    assert answer.split()[1:2] == ([str(status).encode()] if status else [])
    assert get(service, "/livez")[0] == 200


def test_slow_and_silent_clients_are_dropped(run: Run) -> None:
    """They hold a worker for as long: a proxy in front is what keeps them off."""
    with run(envs={"WEB_CONCURRENCY": "2"}) as container:
        wait_until(container, "healthy")
        silent = [connect(container, data) for data in (b"", b"G", HEAD, HEAD)]
        deadline = time.monotonic() + 60
        assert [receive(client) for client in silent[1:]] == [b""] * 3
        assert time.monotonic() < deadline
        silent[0].close()
        assert get(container, "/livez")[0] == 200


def test_each_line_of_the_log_is_an_object(service: Container) -> None:
    receive(connect(service, b"GET /no-such-page HTTP/1.0\r\n\r\n"))

    for line in lines(service):
        assert {"event", "level", "logger", "timestamp"} <= line.keys()


def test_request_keeps_its_id(service: Container) -> None:
    answer = receive(
        connect(
            service, b"GET /nobody-has-this HTTP/1.0\r\nX-Request-ID: abc-1\r\n\r\n"
        )
    )

    assert b"\r\nX-Request-ID: abc-1\r\n" in answer
    (line,) = [
        line for line in lines(service) if line.get("path") == "/nobody-has-this"
    ]
    assert (line["request_id"], line["status"]) == ("abc-1", 404)


def test_client_can_not_forge_a_line(service: Container) -> None:
    forged = b'x"}\x00\x1b[2J{"event": "forged"}'
    request = b"GET /%0a%22%00%ff?forged HTTP/1.0\r\nUser-Agent: " + forged
    receive(connect(service, request + b"\r\nX-Request-ID: " + forged + b"\r\n\r\n"))

    (line,) = [line for line in lines(service) if "\0" in line.get("path", "")]
    assert (line["path"], line["user_agent"]) == ('/\n"\0\ufffd', forged.decode())
    assert UUID(line["request_id"])
    assert not any(line["event"] == "forged" for line in lines(service))
