"""Services with a database: their images, a server for them, and clients."""

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from building import Image, docker
from support import Service

NEEDED = ["--env=SECRET_KEY=" + 10 * "secret", "--env=ALLOWED_HOSTS=*", "--env=WEB_CONCURRENCY=2"]
NOTE = json.dumps({"text": "Buy milk"})
CLIENTS = 20


@dataclass
class Deployment:
    """A service with a database, and its image."""

    framework: str
    service: Service
    image: Image
    jobs: bool

    def start(self, *options: str, image: str = "", command: Sequence[str] = ()) -> str:
        """Start a container."""
        return docker("run", "--detach", *NEEDED, *options, image or self.image.name, *command).strip()


@dataclass
class Database:
    """A running server, in a network where it is called database."""

    network: str
    container: str

    @property
    def options(self) -> list[str]:
        """Return the options for a container that uses it."""
        return [f"--network={self.network}", f"--env=DATABASE_URL={self.url('database')}"]

    @property
    def local_url(self) -> str:
        """Return the URL for this machine."""
        return self.url(address(self.container))

    @staticmethod
    def url(host: str) -> str:
        """Return the URL of a server on a host."""
        return f"postgresql://postgres:only-for-tests@{host}/postgres"

    def execute(self, sql: str) -> list[str]:
        """Execute a statement; return the rows."""
        command = ["psql", "--username=postgres", "--no-align", "--tuples-only", f"--command={sql}"]
        return docker("exec", self.container, *command).splitlines()

    def wait(self) -> None:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + 60
        probe = ["docker", "exec", self.container, "pg_isready", "--host=127.0.0.1"]
        while subprocess.run(probe, check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, docker("logs", self.container)
            time.sleep(0.1)

    def migrate(self, image: str) -> None:
        """Apply the migrations of an image."""
        docker("run", "--rm", *NEEDED, *self.options, image, "migrate")


@dataclass
class Load:
    """Clients that write and read notes, and probe, until they are stopped; and what they were answered."""

    host: str
    pause: float = 0
    """Seconds between the requests of a client; probes have 0.1."""
    stopped: bool = False
    answers: list[tuple[float, float, str, int | str, int]] = field(default_factory=list)
    """Start and duration in seconds, kind, status or error, and the number of a note that was written."""
    in_use: dict[int, str] = field(default_factory=dict)
    """The host that each client uses."""

    @classmethod
    @contextmanager
    def on(cls, host: str, pause: float = 0) -> Iterator[Self]:
        """Let clients work until the end of the context."""
        load = cls(host, pause)
        kinds = [*(CLIENTS // 2 * ["write", "read"]), "/readyz", "/livez"]
        with ThreadPoolExecutor(len(kinds)) as threads:
            clients = [threads.submit(load._go, number, kind) for number, kind in enumerate(kinds)]
            try:
                yield load
            finally:
                load.stopped = True
        for client in clients:
            client.result()

    def route_to(self, host: str) -> None:
        """Let the clients use another host, and wait until none uses the one before."""
        before, self.host = self.host, host
        deadline = time.monotonic() + 60
        while before in self.in_use.values():
            assert time.monotonic() < deadline, f"a client still uses {before}"
            time.sleep(0.05)

    def _go(self, number: int, kind: str) -> None:
        probe = kind.startswith("/")
        while not self.stopped:
            started = time.monotonic()
            written = 0
            self.in_use[number] = host = self.host
            try:
                status, page = fetch(host, kind if probe else "/notes", NOTE if kind == "write" else None)
                written = page["id"] if status == 201 else 0
            except OSError as error:
                status = repr(error)
            self.answers.append((started, time.monotonic() - started, kind, status, written))
            time.sleep(0.1 if probe else self.pause)

    def statuses(self, kind: str, since: float = 0, until: float = float("inf")) -> set[int | str]:
        """Return the statuses of requests of a kind that began in a period."""
        return {status for started, _, of, status, _ in self.answers if of == kind and since <= started < until}

    def outcomes(self) -> set[tuple[str, int | str]]:
        """Return each kind of request with each of its statuses."""
        return {(kind, status) for _, _, kind, status, _ in self.answers}

    def wait_for(self, number: int) -> None:
        """Wait until there are this many more answers."""
        target = len(self.answers) + number
        deadline = time.monotonic() + 600
        while len(self.answers) < target:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def wait_for_status(self, kind: str, status: int, seconds: float) -> None:
        """Wait until a request that begins from now on has this status."""
        since = time.monotonic()
        while status not in self.statuses(kind, since):
            assert time.monotonic() - since < seconds, f"{kind} isn't {status} within {seconds} s"
            time.sleep(0.05)


def copy(service: Service, folder: Path) -> Service:
    """Copy a service, without its environment."""
    target = folder / "service"
    shutil.copytree(service.folder, target, ignore=shutil.ignore_patterns(".venv"))
    return Service(target, service.env)


def address(container: str) -> str:
    """Return the address of a container in its only network."""
    (network,) = json.loads(docker("container", "inspect", container))[0]["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


def wait_until_ready(host: str) -> None:
    """Wait until the service can use its database."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if fetch(host, "/readyz")[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, f"{host} isn't ready"
        time.sleep(0.1)


def fetch(
    host: str, path: str, body: str | None = None, port: int = 8000, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Fetch a page, or post JSON to it; return the status and the page."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request(
            "POST" if body else "GET", path, body, {"Content-Type": "application/json", **(headers or {})}
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
