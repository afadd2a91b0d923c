"""Each server, locked down: start, stop, and what happens to its workers."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from containers import Container, docker, running, wait_until
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
    """Clients that send one request after the other, and what became of each."""

    host: str
    complete: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    refused: int = 0

    async def client(self, paths: tuple[str, ...]) -> None:
        """Send requests until a connection is refused."""
        while not self.refused:
            await self.request(random.choice(paths))

    async def request(self, path: str) -> None:
        """Send a request, and record its outcome."""
        name = str(uuid4())
        try:
            reader, writer = await asyncio.open_connection(self.host, 8000)
        except OSError:
            self.refused += 1
            return
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-ID: {name}\r\n\r\n"
            writer.write(head.encode())
            response = await asyncio.wait_for(reader.read(), 60)
            head, _, body = response.partition(b"\r\n\r\n")
            whole = head.startswith(b"HTTP/1.1 200 ") and b"content-length: %d" % len(body) in head.lower()
            if whole:
                self.complete.add(name)
            else:
                self.failed[name] = f"{path}: {response[:100]!r}"
        except (OSError, TimeoutError) as error:
            self.failed[name] = f"{path}: {error!r}"
        finally:
            writer.close()


@pytest.mark.parametrize("sent", ["TERM", "INT"])
def test_stop_finishes_requests_in_flight(image: str, sent: str) -> None:
    with start(image, *ROOMY) as container:

        async def run() -> Load:
            load = Load(container.host)
            clients = [asyncio.create_task(load.client(("/slow", "/"))) for _ in range(CLIENTS)]
            await asyncio.to_thread(wait_until, lambda: len(container.lines("accepted")) > CLIENTS)
            await asyncio.to_thread(container.kill, sent)
            await asyncio.gather(*clients)
            return load

        load = asyncio.run(run())
        status = container.exit_status()
        accepted = {line["request_id"] for line in container.lines("accepted")}

    lost = {name: why for name, why in load.failed.items() if name in accepted}
    assert (status, lost) == (0, {})
    assert load.complete & accepted


def test_stop_during_the_start_ends_it(image: str) -> None:
    ends = Counter()
    for delay in (0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9, 1.3):
        with start(image, ready=False) as container:
            time.sleep(delay)  # whatever it does by then
            container.kill()
            ends[container.exit_status()] += 1

    # 143: by the signal, before the entry point's first line.
    assert ends.keys() <= {0, 143}, ends


def test_idle_container_stops_with_0(image: str) -> None:
    for options in (), ("--env=WEB_CONCURRENCY=1",):
        with start(image, *options) as container:
            container.kill()

            assert container.exit_status() == 0


def test_killed_worker_is_replaced(image: str) -> None:
    with start(image, *ROOMY) as container:
        before = set(container.workers())

        container.execute("sh", "-c", f"kill -KILL {min(before)}")

        wait_until(lambda: len(set(container.workers()) - before) == 1 and len(container.workers()) == len(before))
        assert [container.status("/") for _ in range(20)] == [200] * 20


def test_hangup_keeps_it_serving_or_ends_it_cleanly(image: str) -> None:
    with start(image, *ROOMY) as container:
        container.kill("HUP")

        wait_until(lambda: container.inspect("State.Running") == "false" or container.status("/") == 200)


def test_it_listens_on_ipv6(image: str) -> None:
    with start(image, "--env=HOST=::", "--sysctl=net.ipv6.conf.all.disable_ipv6=0") as container:
        wait_until(lambda: container.inspect("State.Health.Status") == "healthy")
        script = "import http.client as h; c = h.HTTPConnection('::1', 8000); c.request('GET', '/livez'); print(c.getresponse().status)"

        assert container.execute("python", "-c", script) == "200"


def test_number_of_workers_follows_the_quota(image: str) -> None:
    for cpus, workers in (("0.5", 1), ("1", 2), ("2", 4)):
        with start(image, f"--cpus={cpus}") as container:
            wait_until(lambda: len(container.workers()) >= workers - (workers == 1))
