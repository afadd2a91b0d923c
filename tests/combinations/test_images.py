"""Every framework on every server and platform: built, tested, stopped under load."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import choices
import pytest
from archives import use
from building import Image, build, docker, run_container_tests, scaffold_with_bases
from load import NOTE, finish, stop_under_load
from offered import PAIRS, covering, marked
from proxied import add_pages, address, ask, point, proxy
from support import Service

DEBIAN = ["debian-13", "debian-12", "python-3.14"]
EVERY_CHANGE = covering(DEBIAN) | {("ubuntu-26.04", "flask", "uwsgi")}
# All container tests of these run with every change: one for each server, on different platforms.
WHOLE = {
    server: sorted(row for row in EVERY_CHANGE if row[0] == DEBIAN[number % 3] and row[2] == server)[0]
    for number, server in enumerate(choices.SERVERS)
}
# Tested in tests/image/.
DEFAULT = ("debian-13", "flask", "uwsgi")
# Settings that a Django service requires.
NEEDED = {"django": ["--env=SECRET_KEY=" + 10 * "secret", "--env=DATABASE_URL=sqlite://:memory:"]}

# Redirects of the page /here, by scheme: status and Location. Frameworks differ in both.
REDIRECTS = {
    scheme: {
        (status, f"{origin}/here/") for status in (301, 307, 308) for origin in ("", f"{scheme}://service.example")
    }
    for scheme in ("http", "https")
}

# Arguments that make a worker end after so many requests, and what the server logs then. Granian ends those that hold too
# much memory.
RECYCLE_AFTER = 200
RECYCLING = {
    "uwsgi": (
        [f"--max-requests={RECYCLE_AFTER}", "--max-requests-delta=50", "--min-worker-lifetime=0"],
        "Respawned uWSGI worker",
    ),
    "gunicorn": ([f"--max-requests={RECYCLE_AFTER}", "--max-requests-jitter=50"], "Autorestarting worker"),
    "uvicorn": (
        [f"--limit-max-requests={RECYCLE_AFTER}", "--limit-max-requests-jitter=50", "--timeout-keep-alive=1"],
        "Maximum request limit",
    ),
}
CLIENTS = Path(__file__).parents[1] / "cluster/load.py"

# A wrapper for the application of any framework: it records accepted requests, and adds a slow page.
SLOW = {
    "wsgi": """

inner = application


def application(environ, start_response):  # type: ignore
    import time

    note(environ.get("HTTP_X_REQUEST_ID"))
    if environ["PATH_INFO"] != "/slow":
        return inner(environ, start_response)
    time.sleep(2)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"slow"]
""",
    "asgi": """

inner = application


async def application(scope, receive, send):  # type: ignore
    import asyncio

    if scope["type"] == "http":
        note(dict(scope["headers"]).get(b"x-request-id", b"").decode())
    if scope.get("path") != "/slow":
        return await inner(scope, receive, send)
    await asyncio.sleep(2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"slow"})
""",
}


@dataclass
class Combination:
    """A service of some combination, and its image."""

    name: tuple[str, str, str]
    framework: str
    server: str
    service: Service
    image: Image
    needed: list[str]
    started: str
    """The log message of each ready worker, if a stop before that may be missed."""
    threads: int
    """As many as there are clients, so that none waits in a queue; few if a stop may be missed while a thread is
    created, so that all are created before."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test the image of each combination except the default one."""
    combinations = [(platform, *pair) for platform in choices.PLATFORMS for pair in PAIRS]
    combinations.remove(DEFAULT)
    under_load = metafunc.function in (test_stop_under_load_loses_no_request, test_recycled_workers_lose_no_request)
    every_change = WHOLE.values() if under_load else EVERY_CHANGE
    if metafunc.function is test_recycled_workers_lose_no_request:
        combinations = [each for each in combinations if each[2] in RECYCLING]
    metafunc.parametrize("combination", marked(combinations, every_change), ids="-".join, indirect=True, scope="module")


@pytest.fixture(scope="module")
def combination(request, scaffold, use_engine) -> Combination:
    """Build a combination's image."""
    platform, framework, server = request.param
    if platform.startswith("ubuntu-"):
        use("stand-ins", choices.PLATFORMS[platform].base_image)
    service = scaffold_with_bases(scaffold, platform=platform, framework=framework, server=server)
    service.run("uv sync --locked")
    image = build(service.folder, f"my-service:{'-'.join(request.param)}")
    granian = server == "granian"
    return Combination(
        request.param,
        framework,
        server,
        service,
        image,
        NEEDED.get(framework, []),
        "Started worker-" if granian else "",
        4 if granian else 25,
    )


def test_image_passes_the_services_container_tests(combination, request):
    """With every change, all of them once for each server, and those of the image itself for the others."""
    everything = request.config.getoption("slow") or combination.name in WHOLE.values()
    run_container_tests(combination.service, combination.image, "" if everything else "tests/container/test_image.py")


def test_stop_under_load_loses_no_request(combination, tmp_path):
    package = combination.image.run("python", "-c", "import my_service; print(*my_service.__path__)").strip()
    (module,) = combination.service.folder.glob("src/my_service/?sgi.py")
    busy = tmp_path / module.name
    busy.write_text(module.read_text() + NOTE + SLOW[module.stem])
    (tmp_path / "nothing").mkdir()
    options = (
        "--env=WEB_CONCURRENCY=2",
        f"--env=WEB_THREADS={combination.threads}",
        *combination.needed,
        f"--volume={busy}:{package}/{busy.name}:ro",
        # Hide the byte code in the image: Python wouldn't notice that the module has changed.
        f"--volume={tmp_path}/nothing:{package}/__pycache__:ro",
    )
    signals = 2 * ["SIGTERM", "SIGINT"]

    async def stop_all():
        stops = [stop_under_load(combination.image.name, signal, options, combination.started) for signal in signals]
        return await asyncio.gather(*stops)

    results = finish(stop_all())

    assert {status for status, _, _ in results} == {0}
    assert [lost for _, _, lost in results if lost] == []
    assert sum(len(outcomes.answered) for _, outcomes, _ in results) > 5 * len(signals), "there was hardly any load"


@pytest.mark.parametrize("workers", [1, 2])
def test_recycled_workers_lose_no_request(combination, workers):
    arguments, message = RECYCLING[combination.server]
    settings = [f"--env=WEB_CONCURRENCY={workers}", "--env=ALLOWED_HOSTS=service.example", *combination.needed]
    service = docker("run", "--detach", *settings, combination.image.name, *arguments).strip()
    try:
        ask_until_served(f"http://{address(service)}:8000")
        least = 10 * RECYCLE_AFTER
        command = [sys.executable, CLIENTS, address(service), "8000", "service.example", "16", str(least)]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
        report = json.loads(output.splitlines()[-1])
        assert not report["new"]["failed"], report
        assert not report["kept"]["failed"], report
        recycled = docker("logs", service).count(message)
        # Nothing would replace Uvicorn's only worker.
        assert recycled == 0 if (combination.server, workers) == ("uvicorn", 1) else recycled > 2
        assert docker("inspect", "--format={{.State.Status}}", service).strip() == "running"
    finally:
        docker("rm", "--force", service)


def test_forwarded_headers_apply_only_from_the_trusted_proxy(combination, tmp_path):
    framework = combination.framework
    package = combination.image.run("python", "-c", "import my_service; print(*my_service.__path__)").strip()
    module = add_pages(framework, combination.service.folder / "src/my_service", tmp_path)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "proxy").mkdir()
    with proxy(tmp_path / "proxy") as nginx:
        service = docker(
            "run",
            "--detach",
            "--read-only",
            "--tmpfs=/tmp",
            "--cap-drop=ALL",
            "--env=WEB_CONCURRENCY=2",
            "--env=ALLOWED_HOSTS=service.example",
            f"--env=FORWARDED_ALLOW_IPS={address(nginx)}",
            *combination.needed,
            f"--volume={module}:{package}/{module.name}:ro",
            f"--volume={tmp_path}/nothing:{package}/__pycache__:ro",
            combination.image.name,
        ).strip()
        try:
            point(tmp_path / "proxy", service)
            ask_until_served(through := f"https://{address(nginx)}:8443")
            direct = f"http://{address(service)}:8000"
            forged = {
                "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
                "X_Forwarded_For": "6.6.6.6",
                "X_Forwarded_Host": "evil.example",
                "X_Forwarded_Proto": "javascript",
            }
            forged = {**forged, **{name.replace("_", "-"): text for name, text in forged.items()}}

            # Through the proxy, client, scheme and host are real, whatever headers the client sends.
            status, headers, _ = ask(f"{through}/here", **forged)
            assert (status, headers.get("Location")) in REDIRECTS["https"]
            here = json.loads(ask(f"{through}/here/", **forged)[2])
            assert here["url"] == "https://service.example/here/"
            client = here["client"]
            assert client not in {"6.6.6.6", address(nginx)}
            # From other peers, forwarded headers are ignored; the client is the same machine.
            status, headers, _ = ask(f"{direct}/here", **forged)
            assert (status, headers.get("Location")) in REDIRECTS["http"]
            here = json.loads(ask(f"{direct}/here/", **forged)[2])
            assert here == {"url": "http://service.example/here/", "client": client}
            # Another host is refused from any peer.
            for address_ in (through, direct):
                for path in ("/here", "/here/"):
                    status, headers, _ = ask(f"{address_}{path}", Host="evil.example")
                    assert (status, "Location" in headers) == (400, False)
            for request in (b"CONNECT evil.example:443 HTTP/1.1", b"GET http://evil.example/here HTTP/1.1"):
                answer = send(address(service), request + b"\r\nHost: service.example\r\nConnection: close\r\n\r\n")
                assert b"\r\nlocation: http://evil.example" not in answer.lower(), answer
                assert b"\r\nlocation: https://evil.example" not in answer.lower(), answer
            lines = [json.loads(line) for line in docker("logs", service).splitlines() if '"request"' in line]
            assert {line["client"] for line in lines if line["path"].startswith("/here")} == {client}
        finally:
            print(docker("logs", service))
            docker("rm", "--force", service)


def test_bodies_arrive_whole_or_are_refused(combination, tmp_path):
    framework, server = combination.framework, combination.server
    package = combination.image.run("python", "-c", "import my_service; print(*my_service.__path__)").strip()
    module = add_pages(framework, combination.service.folder / "src/my_service", tmp_path)
    (tmp_path / "nothing").mkdir()
    service = docker(
        "run",
        "--detach",
        "--read-only",
        "--tmpfs=/tmp",
        "--cap-drop=ALL",
        "--env=WEB_CONCURRENCY=2",
        "--env=ALLOWED_HOSTS=service.example",
        *combination.needed,
        f"--volume={module}:{package}/{module.name}:ro",
        f"--volume={tmp_path}/nothing:{package}/__pycache__:ro",
        combination.image.name,
    ).strip()
    try:
        ask_until_served(direct := f"http://{address(service)}:8000")
        form = {"Content_Type": "multipart/form-data; boundary=x"}
        start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for megabytes, expected in ((9, 200), (11, 413)):
            size = megabytes * 1024 * 1024
            file = start + bytes(size) + b"\r\n--x--\r\n"
            refused_at_once = framework != "fastapi" and server != "gunicorn"
            # Granian may close the connection before the client has read the response.
            statuses = {expected, 0} if (framework, server, expected) == ("fastapi", "granian", 413) else {expected}
            uploads = [("/raw", bytes(size), {})]
            if framework != "fastapi":
                uploads.append(("/upload", file, form))
            for path, body, headers in uploads:
                status, _, text = ask(f"{direct}{path}", body, **headers)
                assert status in statuses, text
                assert status != 200 or json.loads(text) == {"size": size}
                # Without a length, the body is sent in chunks.
                if refused_at_once:
                    head = f"POST {path} HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n".encode()
                    chunked = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
                    assert b" 411 " in send(address(service), head + chunked)
                    continue
                status, _, text = ask(f"{direct}{path}", iter([body[:1000], body[1000:]]), **headers)
                assert status in statuses, text
                assert status != 200 or json.loads(text) == {"size": size}
        # An incomplete body is the client's error: the service logs no traceback.
        send(
            address(service),
            b"POST /raw HTTP/1.1\r\nHost: service.example\r\nContent-Length: 100000\r\n\r\npart",
            False,
        )
        ask_until_served(direct)
        assert "Traceback" not in docker("logs", service)
    finally:
        print(docker("logs", service))
        docker("rm", "--force", service)


def ask_until_served(url: str) -> None:
    """Wait until probes pass."""
    deadline = time.monotonic() + 120
    while True:
        with suppress(OSError):
            if ask(f"{url}/livez")[0] == 200:
                return
        assert time.monotonic() < deadline, f"{url} serves nothing"
        time.sleep(0.2)


def send(host: str, request: bytes, wait: bool = True) -> bytes:
    """Send raw bytes; return the response, or disconnect without waiting for it."""
    answer = b""
    with socket.create_connection((host, 8000), timeout=60) as client, suppress(ConnectionResetError):
        client.sendall(request)
        while wait and (data := client.recv(65536)):
            answer += data
    return answer
