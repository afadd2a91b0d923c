"""Clients that load a running container, and record the outcome of each request."""

import asyncio
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from uuid import uuid4

import building

T = TypeVar("T")
MIXED = ["/slow", "/livez", "/livez", "/livez", "/"]


def finish(coroutine: Coroutine[object, object, T], seconds: int = 900) -> T:
    """Run a coroutine to its end, with a timeout in seconds."""

    async def run() -> T:
        # Each thread waits for one command of the engine's client.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
        return await asyncio.wait_for(coroutine, seconds)

    return asyncio.run(run())


@dataclass
class Outcomes:
    """The outcomes of requests, by request ID."""

    answered: set[str] = field(default_factory=set)
    """Requests with a complete response and status 200."""
    failed: dict[str, str] = field(default_factory=dict)
    """Requests that were sent without such a response, with the reason."""
    refused: int = 0
    """The number of refused connections."""


async def request(
    host: str, path: str, outcomes: Outcomes, *, name: str = "", port: int = 8000, timeout: float = 60
) -> bool:
    """Send one request and record its outcome; return whether the connection was accepted."""
    name = name or str(uuid4())
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        outcomes.refused += 1
        return False
    try:
        question = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-ID: {name}\r\n\r\n"
        writer.write(question.encode())
        answer = await asyncio.wait_for(reader.read(), timeout)
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200 ") and b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n":
            outcomes.answered.add(name)
        else:
            outcomes.failed[name] = f"{path}: {answer[:100]!r}"
    except (OSError, TimeoutError) as error:
        outcomes.failed[name] = f"{path}: {error!r}"
    finally:
        writer.close()
    return True


async def client(
    host: str, outcomes: Outcomes, paths: list[str], going: Callable[[], bool], pause: float, *, port: int = 8000
) -> None:
    """Send requests with a pause in seconds between them, until *going* returns false or a connection is refused."""
    while going() and await request(host, random.choice(paths), outcomes, port=port):
        await asyncio.sleep(pause)


async def docker(*command: str) -> str:
    """Run the engine's client and return its output."""
    # In a thread: an asyncio subprocess that is cancelled while it starts hangs forever.
    return (await asyncio.to_thread(building.docker, *command)).strip()


async def start(image: str, *options: str, arguments: tuple[str, ...] = ()) -> tuple[str, str]:
    """Start a container; return its id and its address when it is ready.

    The address is the container's own: a published port also accepts connections that the service refuses.
    """
    container = await docker("run", "--detach", *options, image, *arguments)
    while host := await docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container):
        for _ in range(20):
            outcomes = Outcomes()
            await request(host, "/readyz", outcomes, timeout=5)
            if outcomes.answered:
                return container, host
            await asyncio.sleep(0.05)
    raise AssertionError(f"it ended:\n{await docker('logs', container)}")


async def events(container: str) -> list[dict]:
    """Return the JSON lines of a container's log."""
    return [json.loads(line) for line in (await docker("logs", container)).splitlines() if line.startswith("{")]


class Notes:
    """The IDs of requests that an application accepted, in a file that it shares with the tests.

    Not in its log: when a container ends, the engine of a busy machine may lose the last lines.
    """

    def __init__(self, folder: Path) -> None:
        """Create the file, writable for a container of any user."""
        self._file = folder / "ids"
        self._file.touch()
        self._file.chmod(0o666)
        folder.chmod(0o755)
        self.option = f"--volume={folder}:/notes"

    def ids(self) -> set[str]:
        """Return the IDs of the accepted requests."""
        return set(self._file.read_text().split())


# The code with which an application records them.
NOTE = """
def note(request_id):  # type: ignore
    import os

    if os.path.exists("/notes/ids"):
        with open("/notes/ids", "a") as file:
            file.write(f"{request_id}\\n")
"""


async def stop_under_load(
    image: str, signal: str, options: tuple[str, ...], started: str = ""
) -> tuple[int, Outcomes, dict[str, str]]:
    """Stop a container under load of 50 clients; return its exit status, all outcomes, and the lost requests.

    If *started* is given, wait until two workers have logged it.
    """
    with TemporaryDirectory() as folder:
        notes = Notes(Path(folder))
        container, host = await start(image, notes.option, *options)
        try:
            while started and (await docker("logs", container)).count(started) < 2:
                await asyncio.sleep(0.3)
            outcomes, running = Outcomes(), True
            clients = [asyncio.create_task(client(host, outcomes, MIXED, lambda: running, 0.5)) for _ in range(50)]
            await asyncio.sleep(random.uniform(0.5, 1.5))
            await docker("kill", f"--signal={signal}", container)
            status = int(await docker("wait", container))
            running = False
            await asyncio.gather(*clients)
            # Its address may belong to another container by now: only requests that this one accepted count.
            known = notes.ids()
            outcomes.answered &= known
            lost = {name: why for name, why in outcomes.failed.items() if name in known}
            if lost:
                print(await docker("logs", "--timestamps", container))
            return status, outcomes, lost
        finally:
            await docker("rm", "--force", container)


def hammer(host: str, count: int) -> None:
    """Send *count* requests one after the other, and check that each gets a response."""
    for _ in range(count):
        with socket.create_connection((host, 8000), timeout=60) as connection:
            connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.0 200 ")


class Balancer:
    """A load balancer that forwards each connection to the next of its containers."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self._next = 0
        self._open: Counter[str] = Counter()

    async def remove(self, host: str) -> None:
        """Send no more connections to a container, and wait for its open ones (connection draining).

        Connections in its queue would be reset when it stops.
        """
        self.hosts.remove(host)
        while self._open[host]:
            await asyncio.sleep(0.01)

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._next += 1
        host = self.hosts[self._next % len(self.hosts)]
        self._open[host] += 1
        try:
            upstream, to_upstream = await asyncio.open_connection(host, 8000)
            to_upstream.write(await reader.readuntil(b"\r\n\r\n"))
            writer.write(await upstream.read())
            to_upstream.close()
        except OSError:
            pass  # the client sees a connection that closes without a response
        finally:
            self._open[host] -= 1
            writer.close()
