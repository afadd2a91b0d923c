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
from importlib.metadata import Distribution
from pathlib import Path

import names
import pytest
from demo import free_port, wait_until_ready
from offered import PAIRS, can_be_compiled_here, covering, install, marked
from recipes import CHECKS
from support import Service, edit

# One platform for each Python: others with the same have the same files, but for the image's. See tests/render/.
PLATFORMS = ["debian-13", "debian-12", "ubuntu-24.04", "ubuntu-26.04"]
# The default one has tests of its own.
COMBINATIONS = [
    (platform, *pair)
    for platform in PLATFORMS
    for pair in PAIRS
    if (platform, *pair) != ("debian-13", "flask", "uwsgi")
]
# What a Django service can't start without.
NEEDED = {"django": {"SECRET_KEY": 10 * "secret", "DATABASE_URL": "sqlite://:memory:"}}


# The oldest Python with each pair, and the others so that each meets each framework and server.
OLDEST = "debian-12"
EVERY_CHANGE = covering(PLATFORMS) | {(OLDEST, *pair) for pair in PAIRS}

SERVED = [combination for combination in COMBINATIONS if can_be_compiled_here(combination[0], combination[2])]

# Writes the settings that a server knows. Granian and Uvicorn read those of their options from variables.
LIST_SETTINGS = {
    "granian": "from granian.cli import cli; print(*(f'GRANIAN_{option.name.upper()}' for option in cli.params))",
    "gunicorn": "from gunicorn.config import make_settings; print(*make_settings())",
    "uvicorn": "from uvicorn.main import main; print(*(f'UVICORN_{option.name.upper()}' for option in main.params))",
}


# Writes the options that such a server is started with.
SHOW_OPTIONS = {
    "granian": "from granian.cli import cli; print(cli.make_context('', ['x'], auto_envvar_prefix='GRANIAN').params)",
    "uvicorn": "from uvicorn import main; print(main.make_context('', ['x'], auto_envvar_prefix='UVICORN').params)",
}


# One platform is enough for what depends on the server.
ABUSED = [combination for combination in SERVED if combination[0] == OLDEST]
# Makes servers log as in the image; uWSGI's own messages stay plain text, because it may lack regular expressions here.
LOG_CONFIG = {
    "granian": " --log-config etc/logging.json",
    "gunicorn": " --log-config-json etc/logging.json",
    "uvicorn": " --log-config etc/logging.json",
}
# Added to a file of the service: a page that fails with a long traceback, and one that reads the body of a request.
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
# What becomes long in JSON, and would end a line or a field of it.
HOSTILE = b"GET /" + 300 * b"%0a%22%00" + HEADERS + b"User-Agent: " + 250 * b'\xff"}\\' + b"\r\n\r\n"
FAILING = b"GET /fail" + HEADERS + b"\r\n"
ALIVE = b"GET /livez" + HEADERS + b"\r\n"


@pytest.fixture(scope="module")
def service(request, scaffold: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Make and install a service."""
    platform, framework, server = request.param
    service = install(scaffold(platform=platform, framework=framework, server=server), platform, server)
    # mypy compares what it has cached with what is there: what services share is checked once.
    cache = str(tmp_path_factory.getbasetemp() / "mypy")
    env = {**service.env, **NEEDED.get(framework, {}), "MYPY_CACHE_DIR": cache}
    return Service(service.folder, env)


@pytest.mark.parametrize("service", marked(COMBINATIONS, EVERY_CHANGE), ids="-".join, indirect=True)
def test_own_checks_pass(service):
    for command in CHECKS:
        service.run(command)


@pytest.mark.parametrize("service", [each for each in SERVED if each[0] == SERVED[0][0]], ids="-".join, indirect=True)
def test_modules_of_the_template_are_covered(service):
    """A service leaves them out of its own coverage."""
    options = "--cov=my_service --cov-branch --cov-fail-under=100"
    service.run(f"uv run pytest --cov-config=/dev/null {options}")


@pytest.mark.parametrize("service", marked(SERVED, EVERY_CHANGE), ids="-".join, indirect=True)
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
            # uv hands it on to the server, but not to its workers: these are the server's to stop.
            server.terminate()
            assert server.wait(timeout=120) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
        finally:
            server.kill()
            print((tmp_path / "log").read_text())


# Flask's and Django's own servers do it, whatever serves in production.
RELOADED = [("flask", "gunicorn"), ("django", "gunicorn"), ("fastapi", "granian"), ("fastapi", "uvicorn")]


@pytest.mark.parametrize("service", [(OLDEST, *pair) for pair in RELOADED], ids="-".join, indirect=True)
def test_serves_each_change_while_code_is_written(service, tmp_path):
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
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def fetch(url: str) -> bytes:
    """Fetch a page; nothing while no server answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "service", marked([row for row in SERVED if row[-1] in LIST_SETTINGS], EVERY_CHANGE), ids="-".join, indirect=True
)
def test_server_knows_each_of_its_settings(service):
    """One that is misspelt would be ignored."""
    files = {file.name.partition(".")[0]: file for file in (service.folder / "etc").iterdir()}
    (server,) = LIST_SETTINGS.keys() & files.keys()
    settings = re.findall(r"^(?:def )?(\w+)(?: = |=|\()", files[server].read_text(encoding="utf-8"), re.MULTILINE)
    assert len(settings) > 5
    known = service.run(f"uv run python -c {shlex.quote(LIST_SETTINGS[server])}").split()
    assert [setting for setting in settings if setting not in known] == []


@pytest.mark.parametrize(
    "service", marked([row for row in SERVED if row[-1] in SHOW_OPTIONS], EVERY_CHANGE), ids="-".join, indirect=True
)
def test_variables_that_are_not_set_leave_the_servers_defaults(service):
    (file,) = (service.folder / "etc").glob("*.env")
    show = f"uv run --env-file etc/{file.name} python -c {shlex.quote(SHOW_OPTIONS[file.stem])}"

    assert "'port': 8000," in service.run(show)
    options = service.run(show, PORT="8001", WEB_CONCURRENCY="3", WEB_THREADS="5")
    assert "'port': 8001," in options
    if file.stem == "granian":  # Uvicorn reads WEB_CONCURRENCY when it has read its options.
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
    """A running server, and the pipe that it logs to."""

    process: subprocess.Popen
    port: int
    output: int
    written: bytes = b""

    def send(self, request: bytes) -> bytes:
        """Send a request; give the first line of the response."""
        # A response that never comes fails the test, on however slow a machine.
        with socket.create_connection(("localhost", self.port), timeout=120) as connection:
            connection.sendall(request)
            return connection.makefile("rb").readline()

    def flood(self, clients: int, requests: int) -> None:
        """Have clients send requests at the same time, each as fast as it can."""
        with ThreadPoolExecutor(clients) as threads:
            for _ in threads.map(self.send, clients * (requests // 2 * [HOSTILE, FAILING])):
                pass

    def read(self, size: int, pause: float = 0) -> bytes:
        """Read the log to its end, with a pause after so many bytes."""
        while data := os.read(self.output, size):
            self.written += data
            time.sleep(pause)
        return self.written

    def wait_for_requests(self, number: int) -> None:
        """Return when the log has a line for so many requests, or has had the time for it."""
        deadline = time.monotonic() + 120
        while self.written.count(b'"event": "request"') < number and time.monotonic() < deadline:
            time.sleep(0.1)


@pytest.fixture
def serve(service, tmp_path, request) -> Iterator[Callable[[float], Server]]:
    """Run a copy of the service that has more pages, and that waits so many seconds for a reader of its log."""
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
    """Give the lines of the log that are JSON."""
    return [json.loads(line) for line in written.splitlines() if line.startswith(b"{")]


@pytest.mark.parametrize("service", ABUSED, ids="-".join, indirect=True)
def test_lines_of_the_log_stay_whole_whatever_clients_send_and_however_slow_the_reader_is(serve):
    server = serve(3600)
    with ThreadPoolExecutor(1) as reader:
        written = reader.submit(server.read, 4096, 0.001)
        try:
            server.flood(clients=16, requests=20)
            # Granian answers before a request's line is written, and doesn't wait for it when it stops.
            server.wait_for_requests(16 * 20)
        finally:
            server.process.terminate()

    lines = objects(written.result())
    assert sum(line["event"] == "request" for line in lines) == 16 * 20
    assert sum("ZeroDivisionError" in line.get("exception", "") for line in lines) == 16 * 10
    assert max(len(line) for line in written.result().splitlines()) > 4096


@pytest.mark.parametrize("service", ABUSED, ids="-".join, indirect=True)
def test_probe_passes_though_nothing_reads_the_log_and_the_loss_is_told(serve):
    server = serve(1.0)
    server.flood(clients=16, requests=20)

    assert b" 200 " in server.send(ALIVE)

    with ThreadPoolExecutor(1) as reader:
        written = reader.submit(server.read, 65536)
        # Each worker tells what it lost, with the next line that it logs.
        try:
            server.flood(clients=16, requests=2)
        finally:
            server.process.terminate()
    lines = objects(written.result())
    lost = [int(line["event"].rpartition(" ")[2]) for line in lines if line["event"].startswith("lines lost")]
    assert sum(lost) > 100


@pytest.mark.parametrize("service", ABUSED, ids="-".join, indirect=True)
def test_fault_of_a_client_is_one_short_line(serve, request):
    _, framework, name = request.node.callspec.params["service"]
    # These don't say whether a chunked body is complete: the service refuses it, malformed or not.
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
    # Granian answers before it writes the line.
    assert sorted(line["status"] for line in lines if line["event"] == "request") == sorted([refused, 400])
    assert [line for line in lines if line["level"] == "error"] == []
