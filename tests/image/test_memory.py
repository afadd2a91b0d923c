"""The documented memory limit suffices for concurrent uploads, which /tmp, a tmpfs, keeps in memory."""

import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import pytest
from building import build, docker
from offered import marked
from support import edit, engine

UPLOAD_SIZE = 9_000_000  # bytes
AT_ONCE = 8
ROUNDS = 10
BODY = b"".join(
    [
        b"--limit\r\n",
        b'Content-Disposition: form-data; name="file"; filename="file"\r\n',
        b"Content-Type: application/octet-stream\r\n\r\n",
        bytes(UPLOAD_SIZE),
        b"\r\n--limit--\r\n",
    ]
)
# For each framework, a page that returns the size of an upload.
FLASK = """
    @app.post("/upload")
    def upload() -> str:
        from flask import request

        return str(len(request.files["file"].read()))

    return app
"""
DJANGO = """

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.FILES["file"].read())))


urlpatterns.append(path("upload", upload))
"""
FASTAPI = """
    from fastapi import Request

    async def upload(request: Request) -> int:
        async with request.form() as form:
            return len(await form["file"].read())

    app.add_api_route("/upload", upload, methods=["POST"])
    return app
"""
UPLOAD = {
    "flask": ("app.py", (r"\n    return app\n", FLASK)),
    "django": ("urls.py", (r"\Z", DJANGO)),
    "fastapi": ("app.py", (r"\n    return app\n", FASTAPI)),
}


@pytest.mark.parametrize("framework", marked(UPLOAD, ["flask"]))
def test_advised_memory_is_enough_for_uploads(framework, scaffold):
    service = scaffold(dockerfile_syntax="", framework=framework, image_name=f"upload-{framework}")
    engine("stand-ins", *re.findall(r"^ARG \w+_IMAGE=(\S+)", (service.folder / "Dockerfile").read_text(), re.MULTILINE))
    file, text = UPLOAD[framework]
    edit(service.folder / "src/my_service" / file, text)
    if framework == "fastapi":
        service.run("uv add --no-sync python-multipart")
    image = build(service.folder, f"upload-{framework}")
    container = docker("run", "--detach", *advised(service.folder), image.name).strip()
    try:
        address = docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container).strip()
        wait_until_healthy(container)
        before = workers(container)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sizes = list(pool.map(lambda _: send(address), range(AT_ONCE * ROUNDS)))

        assert set(sizes) == {str(UPLOAD_SIZE).encode()}
        assert workers(container) == before
        assert docker("inspect", "--format={{.State.OOMKilled}}", container).strip() == "false"
    finally:
        print(docker("logs", container)[-3000:])
        docker("rm", "--force", container)


def advised(folder) -> list[str]:
    """Return the options of the `docker run` command in docs/production.md, with required settings."""
    commands = re.findall(
        r"^\$ (docker run .*?[^\\])\n", (folder / "docs/production.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (command,) = [command for command in commands if "--memory" in command]
    command = re.sub(r"--env \w+ |--rm |--publish \S+ |\\\n", "", command)
    return [*shlex.split(command)[2:-1], f"--env-file={folder}/example.env"]


def wait_until_healthy(container: str) -> None:
    """Wait until the health check passes."""
    while (state := docker("inspect", "--format={{.State.Health.Status}}", container).strip()) == "starting":
        subprocess.run(["sleep", "0.5"], check=True)
    assert state == "healthy"


def workers(container: str) -> list[str]:
    """Return the processes in a container whose parent is process 1."""
    script = "cd /proc && for p in [0-9]*; do [ $p = $$ ] || ! [ -e $p ] || echo $p $(cut -d' ' -f4 $p/stat); done"
    found = docker("exec", container, "sh", "-c", script).splitlines()
    return sorted(line for line in found if line.endswith(" 1"))


def send(host: str) -> bytes:
    """Upload a file, and return the response."""
    with closing(HTTPConnection(host, 8000, timeout=300)) as connection:
        headers = {"Host": "localhost", "Content-Type": "multipart/form-data; boundary=limit"}
        connection.request("POST", "/upload", BODY, headers)
        return connection.getresponse().read()
