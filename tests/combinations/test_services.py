"""Every framework on every server and Python: it locks, installs, passes its own checks and serves."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from importlib.metadata import Distribution
from pathlib import Path

import names
import pytest
from demo import free_port, wait_until_ready
from offered import PAIRS, covering, marked
from recipes import CHECKS
from support import Service, edit

# One platform for each Python: platforms with the same Python differ only in the image's files. See tests/render/.
PLATFORMS = ["debian-13", "debian-12", "ubuntu-24.04", "ubuntu-26.04"]
# The default combination is tested in tests/service/.
COMBINATIONS = [
    (platform, *pair)
    for platform in PLATFORMS
    for pair in PAIRS
    if (platform, *pair) != ("debian-13", "flask", "uwsgi")
]
# Settings that a Django service requires.
NEEDED = {"django": {"SECRET_KEY": 10 * "secret", "DATABASE_URL": "sqlite://:memory:"}}


# All pairs of Python, framework and server.
EVERY_CHANGE = covering(PLATFORMS)
OLDEST = "debian-12"

# Scripts that print the supported settings. Granian and Uvicorn read options from these variables.
LIST_SETTINGS = {
    "granian": "from granian.cli import cli; print(*(f'GRANIAN_{option.name.upper()}' for option in cli.params))",
    "gunicorn": "from gunicorn.config import make_settings; print(*make_settings())",
    "uvicorn": "from uvicorn.main import main; print(*(f'UVICORN_{option.name.upper()}' for option in main.params))",
}


# Scripts that print the options that result from the variables.
SHOW_OPTIONS = {
    "granian": "from granian.cli import cli; print(cli.make_context('', ['x'], auto_envvar_prefix='GRANIAN').params)",
    "uvicorn": "from uvicorn import main; print(main.make_context('', ['x'], auto_envvar_prefix='UVICORN').params)",
}


# One platform is enough for what depends on the server.
ABUSED = [combination for combination in COMBINATIONS if combination[0] == OLDEST]
# Options for the log format of the image. uWSGI's own messages are plain text outside of it.
LOG_CONFIG = {
    "granian": " --log-config etc/logging.json",
    "gunicorn": " --log-config-json etc/logging.json",
    "uvicorn": " --log-config etc/logging.json",
}
# Added to a module of the service: a page that fails with a long traceback, and one that reads the request's body.
FAIL = """

def ping(depth):  # type: ignore
    return pong(depth - 1) if depth else 1 / 0


def pong(depth):  # type: ignore
    return ping(depth)

"""
PAGES = {
    "flask": (
        "wsgi.py",
        """
from flask import request

application.add_url_rule("/fail", "fail", lambda: ping(100))
application.add_url_rule("/upload", "upload", lambda: str(len(request.data)), methods=["POST"])
""",
    ),
    "django": (
        "urls.py",
        """
from django.urls import path
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt
urlpatterns.append(path("fail", lambda request: ping(100)))
urlpatterns.append(path("upload", csrf_exempt(lambda request: HttpResponse(len(request.body)))))
""",
    ),
    "fastapi": (
        "app.py",
        """
from fastapi import Request

router.add_api_route("/fail", lambda: ping(100))


@router.post("/upload")
async def upload(request: Request) -> int:
    return len(await request.body())
""",
    ),
}
HEADERS = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
# A request that becomes long in JSON, with characters that end a line or a field there.
HOSTILE = b"GET /" + 300 * b"%0a%22%00" + HEADERS + b"User-Agent: " + 250 * b'\xff"}\\' + b"\r\n\r\n"
FAILING = b"GET /fail" + HEADERS + b"\r\n"
ALIVE = b"GET /livez" + HEADERS + b"\r\n"


@pytest.fixture(scope="module")
def service(request, scaffold: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Make and install a service."""
    platform, framework, server = request.param
    service = scaffold(platform=platform, framework=framework, server=server)
    service.run("uv sync --locked")
    # mypy validates its cache, so services can share it, and common modules are checked once.
    cache = str(tmp_path_factory.getbasetemp() / "mypy")
    env = {**service.env, **NEEDED.get(framework, {}), "MYPY_CACHE_DIR": cache}
    return Service(service.folder, env)


@pytest.mark.parametrize("service", marked(COMBINATIONS, EVERY_CHANGE), ids="-".join, indirect=True)
def test_own_checks_pass(service):
    for command in CHECKS:
        service.run(command)


def test_own_checks_pass_with_the_other_settings_library(scaffold):
    service = scaffold(framework="fastapi", settings_library="environ-config")
    service.run("uv sync --locked")

    for command in CHECKS:
        service.run(command)


@pytest.mark.parametrize(
    "service", marked([row for row in COMBINATIONS if row[0] == "debian-13"], EVERY_CHANGE), ids="-".join, indirect=True
)
def test_modules_of_the_template_are_covered(service):
    """A service leaves them out of its own coverage."""
    options = "--cov=my_service --cov-branch --cov-fail-under=100"
    service.run(f"uv run pytest --cov-config=/dev/null {options}")


@pytest.mark.parametrize("service", marked(COMBINATIONS, EVERY_CHANGE), ids="-".join, indirect=True)
def test_serves_and_stops_as_its_readme_says(service, tmp_path):
    readme = (service.folder / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if line.startswith("$ uv run ") and "etc/" in line)
    port = str(free_port())
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen(
            f"exec {command[2:]}",
            shell=True,
            cwd=service.folder,
            env={**service.env, "PORT": port},
            stdout=log,
            stderr=log,
            process_group=0,
        )
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=10) as answer:
                assert json.load(answer) == {"title": "My Service", "name": "my-service", "version": "0.1.0"}
            # uv forwards the signal to the server, which stops its workers.
            server.terminate()
            assert server.wait(timeout=120) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
        finally:
            server.kill()
            print((tmp_path / "log").read_text())


# Flask and Django reload with their development servers, independent of the production server.
RELOADED = [("flask", "gunicorn"), ("django", "gunicorn"), ("fastapi", "granian"), ("fastapi", "uvicorn")]


@pytest.mark.parametrize("service", [(OLDEST, *pair) for pair in RELOADED], ids="-".join, indirect=True)
def test_serve_task_reloads_changed_code(service, tmp_path):
    copy = tmp_path / "service"
    shutil.copytree(service.folder, copy, ignore=shutil.ignore_patterns(".venv"))
    port = str(free_port())
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            ["uv", "run", "poe", "serve"],
            cwd=copy,
            env={**service.env, "PORT": port, "DEBUG": "1"},
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        wait_until_ready(f"http://localhost:{port}/readyz", server)
        (module,) = (file for file in copy.glob("src/*/*.py") if file.name in {"app.py", "views.py"})
        edit(module, ("My Service", "Changed"))
        deadline = time.monotonic() + 60
        while b'"Changed"' not in fetch(f"http://localhost:{port}/"):
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
    finally:
        # As Ctrl-C does. The server has a session of its own, so killing Poe would leave it behind.
        os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=30)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", int(port)))


def fetch(url: str) -> bytes:
    """Fetch a page; return an empty response if no server is reachable, or if it restarts."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()
    except (OSError, HTTPException):
        return b""


@pytest.mark.parametrize(
    "service",
    marked([row for row in COMBINATIONS if row[-1] in LIST_SETTINGS], EVERY_CHANGE),
    ids="-".join,
    indirect=True,
)
def test_server_supports_each_of_its_settings(service):
    """Otherwise a misspelt setting would be ignored silently."""
    files = {file.name.partition(".")[0]: file for file in (service.folder / "etc").iterdir()}
    (server,) = LIST_SETTINGS.keys() & files.keys()
    settings = re.findall(r"^(?:def )?(\w+)(?: = |=|\()", files[server].read_text(encoding="utf-8"), re.MULTILINE)
    assert len(settings) > 5
    known = service.run(f"uv run python -c {shlex.quote(LIST_SETTINGS[server])}").split()
    assert [setting for setting in settings if setting not in known] == []


@pytest.mark.parametrize(
    "service",
    marked([row for row in COMBINATIONS if row[-1] in SHOW_OPTIONS], EVERY_CHANGE),
    ids="-".join,
    indirect=True,
)
def test_variables_that_are_not_set_leave_the_servers_defaults(service):
    (file,) = (service.folder / "etc").glob("*.env")
    show = f"uv run --env-file etc/{file.name} python -c {shlex.quote(SHOW_OPTIONS[file.stem])}"

    assert "'port': 8000," in service.run(show)
    options = service.run(show, PORT="8001", WEB_CONCURRENCY="3", WEB_THREADS="5")
    assert "'port': 8001," in options
    if file.stem == "granian":  # Uvicorn reads WEB_CONCURRENCY after its options.
        assert "'workers': 1," in service.run(show)
        assert "'workers': 3," in options
        threads = 5 if "GRANIAN_INTERFACE=wsgi" in file.read_text(encoding="utf-8") else None
        assert f"'blocking_threads': {threads}," in options


@pytest.mark.parametrize("service", marked(COMBINATIONS, EVERY_CHANGE), ids="-".join, indirect=True)
def test_no_package_can_have_the_name_of_a_dependency(service):
    (site,) = (service.folder / ".venv/lib").glob("python*/site-packages")
    for distribution in Distribution.discover(path=[str(site)]):
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if name == "my-service":
            continue
        assert names.check_distribution_name(name), f"{name} is a dependency, and accepted as distribution name"
        modules = {
            Path(file.parts[0]).name.partition(".")[0]
            for file in distribution.files or []
            if file.parts[0] not in {"..", "__pycache__"} and not file.parts[0].endswith((".dist-info", ".pth"))
        }
        for module in modules:
            if module.isidentifier() and module.islower() and not module.endswith("__mypyc"):
                assert names.check_package_name(module), f"{name} imports as {module}, and that is accepted"


@dataclass
class Server:
    """A running server, and the reading end of its log."""

    process: subprocess.Popen
    port: int
    output: int
    written: bytes = b""

    def send(self, request: bytes) -> bytes:
        """Send a request; return the first line of the response."""
        # A response that never comes fails the test, on however slow a machine.
        with socket.create_connection(("localhost", self.port), timeout=120) as connection:
            connection.sendall(request)
            return connection.makefile("rb").readline()

    def flood(self, clients: int, requests: int) -> None:
        """Send requests from several clients at the same time, without pauses."""
        with ThreadPoolExecutor(clients) as threads:
            for _ in threads.map(self.send, clients * (requests // 2 * [HOSTILE, FAILING])):
                pass

    def read(self, size: int, pause: float = 0) -> bytes:
        """Read the log to its end, with a pause after each *size* bytes."""
        while data := os.read(self.output, size):
            self.written += data
            time.sleep(pause)
        return self.written

    def wait_for_requests(self, number: int) -> None:
        """Wait until the log has a line for this number of requests, at most two minutes."""
        deadline = time.monotonic() + 120
        while self.written.count(b'"event": "request"') < number and time.monotonic() < deadline:
            time.sleep(0.1)


@pytest.fixture
def serve(service, tmp_path, request) -> Iterator[Callable[[float], Server]]:
    """Run a copy of the service with more pages, which waits the given seconds for the reader of its log."""
    _, framework, server = request.node.callspec.params["service"]
    folder = tmp_path / "src" / "my_service"
    shutil.copytree(service.folder / "src" / "my_service", folder)
    name, pages = PAGES[framework]
    (folder / name).write_text((folder / name).read_text() + FAIL + pages)
    readme = (service.folder / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if line.startswith("$ uv run ") and "etc/" in line)
    servers = []

    def serve(patience: float) -> Server:
        edit(folder / "logs.py", (r"PATIENCE = 1\.0", f"PATIENCE = {patience}"))
        port = free_port()
        settings = {"LOG_FORMAT": "json", "PORT": str(port), "PYTHONPATH": str(folder.parent), "WEB_CONCURRENCY": "3"}
        output, stdout = os.pipe()
        process = subprocess.Popen(
            ["sh", "-c", f"exec {command[2:]}{LOG_CONFIG.get(server, '')}"],
            cwd=service.folder,
            env={**service.env, **settings},
            stdout=stdout,
            stderr=stdout,
            process_group=0,
        )
        os.close(stdout)
        servers.append(Server(process, port, output))
        wait_until_ready(f"http://localhost:{port}/readyz", process)
        return servers[0]

    yield serve
    for started in servers:
        with suppress(ProcessLookupError):
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()
        os.close(started.output)


def objects(written: bytes) -> list[dict]:
    """Return the lines of the log that are JSON."""
    return [json.loads(line) for line in written.splitlines() if line.startswith(b"{")]


@pytest.mark.parametrize("service", ABUSED, ids="-".join, indirect=True)
def test_log_lines_stay_whole_with_hostile_requests_and_a_slow_reader(serve):
    server = serve(3600)
    with ThreadPoolExecutor(1) as reader:
        written = reader.submit(server.read, 4096, 0.001)
        try:
            server.flood(clients=16, requests=20)
            # Granian responds before a request's line is written, and doesn't wait for that line at a stop.
            server.wait_for_requests(16 * 20)
        finally:
            server.process.terminate()

    lines = objects(written.result())
    assert sum(line["event"] == "request" for line in lines) == 16 * 20
    assert sum("ZeroDivisionError" in line.get("exception", "") for line in lines) == 16 * 10
    assert max(len(line) for line in written.result().splitlines()) > 4096


@pytest.mark.parametrize("service", ABUSED, ids="-".join, indirect=True)
def test_probe_passes_while_nothing_reads_the_log_and_lost_lines_are_counted(serve):
    server = serve(1.0)
    server.flood(clients=16, requests=20)

    assert b" 200 " in server.send(ALIVE)

    with ThreadPoolExecutor(1) as reader:
        written = reader.submit(server.read, 65536)
        # Each worker logs how many lines it lost, with its next line.
        try:
            server.flood(clients=16, requests=2)
        finally:
            server.process.terminate()
    lines = objects(written.result())
    lost = [int(line["event"].rpartition(" ")[2]) for line in lines if line["event"].startswith("lines lost")]
    assert sum(lost) > 100


@pytest.mark.parametrize("service", ABUSED, ids="-".join, indirect=True)
def test_client_error_is_logged_in_one_line(serve, request):
    _, framework, name = request.node.callspec.params["service"]
    # These servers don't report whether a chunked body is complete: the service refuses all chunked bodies.
    refused = 411 if framework != "fastapi" and name in {"granian", "uwsgi"} else 400
    server = serve(3600)
    upload = b"POST /upload" + HEADERS
    malformed = upload + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n"
    incomplete = upload + b"Content-Length: 100\r\n\r\nhello"

    assert f" {refused} ".encode() in server.send(malformed)
    with socket.create_connection(("localhost", server.port), timeout=120) as connection:
        connection.sendall(incomplete)

    written = b""
    while written.count(b'"event": "request"') < 2:
        written += os.read(server.output, 65536)
    lines = objects(written)
    # Granian responds before it writes the line.
    assert sorted(line["status"] for line in lines if line["event"] == "request") == sorted([refused, 400])
    assert [line for line in lines if line["level"] == "error"] == []
