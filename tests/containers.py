"""Containers: started, asked, stopped; and their logs.

Requests go to a container's own address: a published port also accepts what the service refuses.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from support import CERTIFICATES, ENGINE

T = TypeVar("T")
PATIENCE = float(os.environ.get("PATIENCE", "90"))  # seconds, enough for the slowest machine
# As a careful platform runs it: read-only, without capabilities, as any user.
LOCKED_DOWN = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user=12345:54321",
    "--memory=256m",
    "--pids-limit=100",
)


def docker(*arguments: str, check: bool = True) -> str:
    """Run a command of the engine's client, and return its standard output."""
    result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0 or not check, f"docker {' '.join(arguments)}\n{result.stderr[-4000:]}"
    return result.stdout.strip()


def build_image(folder: Path, tag: str, *options: str) -> str:
    """Build the image of the service in a folder, with the network's certificates; return the tag."""
    bases = [line.split("=", 1)[1] for line in (folder / "Dockerfile").read_text().splitlines() if "_IMAGE=" in line]
    subprocess.run([ENGINE, "stand-ins", *bases], check=True)
    docker(
        "build",
        "--progress=plain",
        f"--secret=id=ca-certificates,src={CERTIFICATES}",
        f"--tag={tag}",
        *options,
        str(folder),
    )
    return tag


def wait_until(condition: Callable[[], T], what: str = "", seconds: float = PATIENCE) -> T:
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)
    return value


@dataclass
class Response:
    """A response to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return what the JSON of its body contains."""
        return json.loads(self.body)


@dataclass
class Container:
    """A running container."""

    id: str

    @cached_property
    def host(self) -> str:
        """Return its address."""
        return docker("inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.id)

    def inspect(self, field: str) -> str:
        """Return a field, such as State.ExitCode."""
        return docker("inspect", f"--format={{{{.{field}}}}}", self.id)

    def request(self, path: str, method: str = "GET", body: Any = None, timeout: float = PATIENCE, **headers: str):
        """Send a request, whose headers are written with underscores, and return the response."""
        connection = http.client.HTTPConnection(self.host, 8000, timeout=timeout)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": "localhost", **names})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, found, response.read())
        finally:
            connection.close()

    def status(self, path: str = "/", **options: Any) -> int:
        """Return the status of a response, or 0 if there is none."""
        try:
            return self.request(path, **options).status
        except (OSError, http.client.HTTPException):
            return 0

    def send(self, data: bytes, *, end: bool = False, timeout: float = 15) -> bytes:
        """Send bytes, perhaps the last ones, and return what comes back until the server closes or stays silent."""
        received = b""
        with socket.create_connection((self.host, 8000), timeout=timeout) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    received += part
            except OSError:  # the server closed it
                pass
        return received

    def wait_until_ready(self) -> Container:
        """Wait until it responds with 200."""

        def ready() -> bool:
            assert self.inspect("State.Running") == "true", f"it ended:\n{self.output()}"
            return self.status("/livez", timeout=5) == 200

        wait_until(ready, "ready")
        return self

    def wait_until_signals_arrive(self) -> Container:
        """Wait until tini has started the command: Linux drops signals to a process 1 that doesn't wait for them yet."""
        self.execute("sh", "-c", "until grep -qs '^PPid:.1$' /proc/[0-9]*/status; do sleep 0.01; done")
        return self

    def execute(self, *command: str, user: str = "0") -> str:
        """Run a command in it, and return its standard output."""
        execution = ["docker", "exec", f"--user={user}", self.id, *command]
        # runc 1.1 now and then doesn't start one ("read init-p: connection reset by peer"), which the client doesn't say.
        for _ in range(3):
            result = subprocess.run(execution, capture_output=True, text=True, check=False)
            if result.returncode == 0 or result.stdout or result.stderr:
                break
        assert result.returncode == 0, f"{' '.join(execution)}: {result.returncode}\n{result.stderr[-4000:]}"
        return result.stdout.strip()

    def output(self) -> str:
        """Return its standard output and error."""
        command = ["docker", "logs", self.id]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return the lines of its standard output, all of which are JSON, or those with an event."""
        found = [json.loads(line) for line in docker("logs", self.id).splitlines()]
        return [line for line in found if line["event"] == event] if event else found

    def line_of(self, request_id: str) -> dict[str, Any]:
        """Return the line of a request."""

        def find() -> dict[str, Any] | None:
            return next((line for line in self.lines("request") if line["request_id"] == request_id), None)

        return wait_until(find, f"a line of {request_id}")

    def kill(self, signal: str = "TERM") -> None:
        """Send a signal to its process 1."""
        docker("kill", f"--signal={signal}", self.id)

    def exit_status(self) -> int:
        """Wait until it ends, and return its exit status."""
        wait_until(lambda: self.inspect("State.Running") == "false", "its end")
        return int(self.inspect("State.ExitCode"))

    def workers(self) -> list[int]:
        """Return the process IDs, in the container, of the server's workers."""
        # The helper of Python's multiprocessing isn't one.
        script = (
            "for p in /proc/[0-9]*; do grep -q resource_tracker $p/cmdline ||"
            " { read -r _ _ _ parent _ <$p/stat && echo ${p#/proc/} $parent; }; done 2>/dev/null; true"
        )
        parents = {}
        for row in self.execute("sh", "-c", script).splitlines():
            pid, parent = map(int, row.split())
            parents[pid] = parent
        # Orphans that tini has adopted come later.
        master = min(pid for pid, parent in parents.items() if parent == 1 and pid != 1)
        return [pid for pid, parent in parents.items() if parent == master]


@contextmanager
def running(image: str, *options: str, command: tuple[str, ...] = (), ready: bool = True) -> Iterator[Container]:
    """Run a container, locked down, and remove it at the end."""
    container = Container(docker("run", "--detach", *LOCKED_DOWN, *options, image, *command))
    try:
        yield container.wait_until_ready() if ready else container
    finally:
        docker("rm", "--force", "--volumes", container.id)
