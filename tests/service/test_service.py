"""A service on a developer's machine: its checks, its tasks, its environment, and the recipes of its documents."""

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from containers import docker, wait_until
from support import CERTIFICATES, Service, edit, stacks

# What a team writes in its first week, by framework: an endpoint and a readiness check, as docs/operations.md says.
ENDPOINT = {
    "flask": (
        "src/my_service/app.py",
        r"    return app\n",
        '    @app.get("/hello")\n    def hello() -> dict[str, str]:\n        return {"hello": "world"}\n\n    return app\n',
    ),
    "fastapi": (
        "src/my_service/app.py",
        r"    return app\n",
        '    @app.get("/hello")\n    async def hello() -> dict[str, str]:\n        return {"hello": "world"}\n\n    return app\n',
    ),
    "django": (
        "src/my_service/urls.py",
        r'    path\("", views.index\),\n',
        '    path("", views.index),\n    path("hello", views.index),\n',
    ),
}


@pytest.fixture(scope="module", params=stacks([("flask", "uwsgi"), ("django", "gunicorn"), ("fastapi", "granian")]))
def stack(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a framework and a server."""
    return request.param


@pytest.fixture(scope="module")
def service(stack: tuple[str, str], scaffold: Callable[..., Service]) -> Service:
    """Make a service, and install it."""
    framework, server = stack
    service = scaffold(framework=framework, server=server, dockerfile_syntax="")
    service.run("uv sync --quiet --locked")
    return service


def test_checks_pass(service: Service) -> None:
    service.run("uv run poe check")


def test_first_endpoint_passes_the_checks(stack: tuple[str, str], service: Service, tmp_path: Path) -> None:
    copy = Service(Path(shutil.copytree(service.folder, tmp_path / "copy", symlinks=True)), service.env)
    file, pattern, replacement = ENDPOINT[stack[0]]
    edit(copy.folder / file, (pattern, replacement))

    copy.run("uv run --reinstall-package my-service poe check")


def test_broken_endpoints_stop_the_start(stack: tuple[str, str], service: Service, tmp_path: Path) -> None:
    copy = Service(Path(shutil.copytree(service.folder, tmp_path / "copy", symlinks=True)), service.env)
    edit(copy.folder / ENDPOINT[stack[0]][0], (r"\A", "import no_such_module\n"))
    module = "asgi" if stack[0] == "fastapi" else "wsgi"

    with pytest.raises(AssertionError, match="No module named 'no_such_module'"):
        copy.run(f"uv run --reinstall-package my-service --env-file example.env python -m my_service.{module}")


def test_serve_logs_each_request_once_and_survives_typing_errors(
    stack: tuple[str, str], service: Service, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    mark, log = f"SERVED_BY={uuid4()}", tmp_path / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["uv", "run", "poe", "serve"],
            cwd=service.folder,
            env={**service.env, "PORT": port, "SERVED_BY": mark.partition("=")[2]},
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def responds(path: str) -> bool:
        assert server.poll() is None, "it ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
                return b'"my-service"' in response.read()
        except OSError:
            return False

    file = service.folder / ENDPOINT[stack[0]][0]
    code = file.read_text(encoding="utf-8")

    def write(text: str, seen: Callable[[], bool]) -> None:
        """Write the file until the reloader sees it: it may not watch the file yet."""

        def attempt() -> bool:
            file.write_text(text, encoding="utf-8")
            with suppress(AssertionError):
                return wait_until(seen, seconds=10)
            return False

        wait_until(attempt)

    try:
        wait_until(lambda: responds("/"))
        assert [responds(path) for path in ("/missing", "/last")] == [False, False]
        wait_until(lambda: "/last" in log.read_text(encoding="utf-8"))
        assert log.read_text(encoding="utf-8").count("/missing") == 1

        write(code + "def broken(:\n", lambda: "SyntaxError" in log.read_text(encoding="utf-8"))
        write(code, lambda: responds("/"))
    finally:
        # Poe starts the server in a session of its own, and reloaders start more processes.
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark.encode() in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
        server.wait()


def test_envrc_makes_and_activates_the_environment(service: Service) -> None:
    shutil.rmtree(service.folder / ".venv", ignore_errors=True)

    python = service.run("sh -c '. ./.envrc && command -v python'")

    assert python.splitlines()[-1] == f"{service.folder}/.venv/bin/python"


def test_image_task_builds_and_tests_the_image(service: Service, use_engine: None) -> None:
    env = {name: os.environ[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH") if name in os.environ}
    output = service.run("uv run poe image", SSL_CERT_FILE=CERTIFICATES, **env)

    assert "2 passed" in output
    docker("rmi", "--force", "my-service:test")
