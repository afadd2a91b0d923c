"""Each server, locked down: start, stop, and what happens to its workers."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from containers import Container, running, wait_until
from support import stacks

CLIENTS = 20
# Requests beyond those that workers serve wait in the queue, where a stop resets them.
ROOMY = ("--env=WEB_CONCURRENCY=4",)


@pytest.fixture(scope="module", params=stacks())
def image(request: pytest.FixtureRequest, build: Callable[..., str]) -> str:
    """Build a service with pages."""
    framework, server = request.param
    return build(framework=framework, server=server)


def start(image: str, *options: str, **more: object):
    """Run a container with settings that suffice for every framework."""
    settings = ("--env=SECRET_KEY=secret-of-this-test", "--env=DATABASE_URL=sqlite://:memory:", "--env=ALLOWED_HOSTS=*")
    return running(image, *settings, *options, **more)


@dataclass
class Load:
    """Clients that send one request after the other, and the IDs of those that were sent and completed."""

    host: str
    sent: set[str] = field(default_factory=set)
    complete: set[str] = field(default_factory=set)
    over: bool = False
    """Whether the container has ended, or refuses connections: its address may soon be another one's."""

    async def client(self) -> None:
        """Send requests until it is over."""
        while not self.over:
            with suppress(OSError, TimeoutError):
                await self.request(random.choice(("/slow", "/")))

    async def request(self, path: str) -> None:
        """Send a request, and record whether its response is complete."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(self.host, 8000), 5)
        except (OSError, TimeoutError):
            self.over = True
            return
        name = str(uuid4())
        try:
            self.sent.add(name)
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-ID: {name}\r\n\r\n"
            writer.write(head.encode())
            response = await reader.read()
            head, _, body = response.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 200 ") and b"content-length: %d" % len(body) in head.lower():
                self.complete.add(name)
        finally:
            writer.close()

    async def until_stopped_by(self, sent: str, container: Container) -> int:
        """Send requests, stop the container amid them, and return its exit status."""
        clients = [asyncio.create_task(self.client()) for _ in range(CLIENTS)]
        await asyncio.to_thread(wait_until, lambda: len(container.lines("accepted")) > CLIENTS)
        await asyncio.to_thread(container.kill, sent)
        status = await asyncio.to_thread(container.exit_status)
        self.over = True
        # Responses have arrived by then. A connection that waited in the queue may never hear of the end.
        _, waiting = await asyncio.wait(clients, timeout=2)
        for client in waiting:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        return status


@pytest.mark.parametrize("sent", ["TERM", "INT"])
def test_stop_finishes_requests_in_flight(image: str, sent: str) -> None:
    with start(image, *ROOMY) as container:
        load = Load(container.host)
        status = asyncio.run(load.until_stopped_by(sent, container))
        accepted = {line["request_id"] for line in container.lines("accepted")}

    assert (status, accepted & load.sent - load.complete) == (0, set())
    assert accepted & load.complete


def test_stop_during_the_start_ends_it(image: str) -> None:
    ends = Counter()
    for delay in (0, 0.3, 0.7, 1.2):
        with start(image, ready=False) as container:
            container.wait_until_signals_arrive()
            time.sleep(delay)  # whatever it does by then
            container.kill()
            ends[container.exit_status()] += 1

    assert ends == {0: 4}


def test_idle_container_stops_with_0(image: str) -> None:
    for options in (), ("--env=WEB_CONCURRENCY=1",):
        with start(image, *options) as container:
            container.kill()

            assert container.exit_status() == 0


def test_killed_worker_is_replaced(image: str) -> None:
    with start(image, *ROOMY) as container:
        before = set(container.workers())

        container.execute("sh", "-c", f"kill -KILL {min(before)}", user="12345")

        wait_until(lambda: len(set(container.workers()) - before) == 1 and len(container.workers()) == len(before))
        assert [container.status("/") for _ in range(20)] == [200] * 20


def test_hangup_replaces_the_workers(image: str) -> None:
    with start(image, *ROOMY) as container:
        before = set(container.workers())

        container.kill("HUP")

        wait_until(lambda: container.workers() and before.isdisjoint(container.workers()), "new workers")
        wait_until(lambda: container.status("/") == 200)


def test_it_listens_on_ipv6(image: str) -> None:
    with start(image, "--env=HOST=::", "--sysctl=net.ipv6.conf.all.disable_ipv6=0") as container:
        wait_until(lambda: container.inspect("State.Health.Status") == "healthy")
        script = "import http.client as h; c = h.HTTPConnection('::1', 8000); c.request('GET', '/livez'); print(c.getresponse().status)"

        assert container.execute("python", "-c", script) == "200"


INVALID = ["WEB_CONCURRENCY=0", "WEB_CONCURRENCY=two", "PORT=http", "LOG_LEVEL=loud"]


@pytest.mark.parametrize(
    ("framework", "server", "setting"),
    [*(("flask", "uwsgi", setting) for setting in INVALID), ("django", "gunicorn", "LOG_LEVEL=loud")],
)
def test_invalid_setting_ends_the_start_and_is_named(
    framework: str, server: str, setting: str, build: Callable[..., str]
) -> None:
    with start(build(framework=framework, server=server), f"--env={setting}", ready=False) as container:
        assert container.exit_status() != 0
        assert setting.partition("=")[0].lower() in container.output().lower()
