"""Services under load are stopped, replaced, killed and throttled, and lose no accepted request."""

import asyncio
import json
import random
import re
import subprocess
import time
from collections.abc import Iterator
from statistics import median

import pytest
from building import Image, build
from load import (
    NOTE,
    Balancer,
    Notes,
    Outcomes,
    client,
    docker,
    events,
    finish,
    hammer,
    request,
    start,
    stop_under_load,
)
from offered import marked

# Additional pages: a slow one, one that never ends, one that leaks memory.
PAGES = """
    @app.before_request
    def take_on() -> None:
        from flask import request

        note(request.headers.get("X-Request-ID"))

    @app.get("/slow")
    def slow() -> str:
        import time

        time.sleep(2)
        return "slow"

    @app.get("/hang")
    def hang() -> str:
        import threading

        threading.Event().wait()
        return "never"

    kept = []

    @app.get("/leak")
    def leak() -> str:
        kept.append(bytes(bytearray(4_000_000)))
        return "kept"

    return app
"""
# Enough threads for all clients: no connection waits in the queue, where a stop would reset it.
ROOMY = ("--env=WEB_CONCURRENCY=2", "--env=WEB_THREADS=32")
NARROW = ("--env=WEB_CONCURRENCY=2",)
STOPS = 50  # of each kind


@pytest.fixture(scope="module")
def busy_image(service, image, tmp_path_factory) -> Image:
    """Build the service with pages for load."""
    folder = tmp_path_factory.mktemp("busy") / "service"
    subprocess.run(["cp", "-a", service.folder, folder], check=True)
    app = folder / "src/my_service/app.py"
    app.write_text(app.read_text().replace("\n    return app\n", PAGES) + NOTE)
    return build(folder, "my-service:busy")


@pytest.mark.parametrize(
    "options", [pytest.param(NARROW, marks=pytest.mark.slow), ROOMY], ids=["one-at-a-time", "threads"]
)
@pytest.mark.parametrize("signal", marked(["SIGTERM", "SIGINT"], ["SIGTERM"]))
def test_stop_under_load_loses_no_request(signal, options, busy_image):
    """Requests in the queue aren't accepted yet: a stop resets their connections, and the client can retry."""

    async def stop_many() -> list[tuple[int, Outcomes, dict[str, str]]]:
        at_once = asyncio.Semaphore(10)

        async def stop() -> tuple[int, Outcomes, dict[str, str]]:
            async with at_once:
                return await stop_under_load(busy_image.name, signal, options)

        return await asyncio.gather(*[stop() for _ in range(STOPS)])

    results = finish(stop_many())

    assert {status for status, _, _ in results} == {0}
    assert [lost for _, _, lost in results if lost] == []
    answered = sum(len(outcomes.answered) for _, outcomes, _ in results)
    # The number depends on the machine: two workers serve one request at a time, and some take 2 s.
    assert answered > 2 * STOPS, "there was hardly any load"


@pytest.mark.slow
def test_replacing_containers_one_by_one_loses_no_request(busy_image):
    """A rolling update as in docs/production.md: routing to a container stops before the container does."""

    async def roll() -> Outcomes:
        balancer, outcomes, rolling = Balancer(), Outcomes(), True
        server = await asyncio.start_server(balancer.forward, "127.0.0.1", 0, backlog=1000)
        port = server.sockets[0].getsockname()[1]
        paths = [*60 * ["/livez"], "/slow"]
        containers = [await start(busy_image.name, *ROOMY) for _ in range(2)]
        try:
            balancer.hosts = [host for _, host in containers]
            clients = [
                asyncio.create_task(client("127.0.0.1", outcomes, paths, lambda: rolling, 0, port=port))
                for _ in range(50)
            ]
            for replacement in range(1, 21):
                containers.append(await start(busy_image.name, *ROOMY))
                balancer.hosts.append(containers[-1][1])
                old, host = containers.pop(0)
                await balancer.remove(host)
                await docker("stop", "--time=30", old)
                assert await docker("wait", old) == "0"
                await docker("rm", old)
                while len(outcomes.answered) < 1000 * replacement:
                    await asyncio.sleep(0.05)
            rolling = False
            await asyncio.gather(*clients)
        finally:
            server.close()
            await docker("rm", "--force", *[name for name, _ in containers])
        return outcomes

    outcomes = finish(roll())

    assert len(outcomes.answered) >= 20_000
    assert outcomes.failed == {}
    assert outcomes.refused == 0


# Runs inside the container: repeatedly kills a worker and waits until the same number serve again; prints the seconds
# that each replacement took, and the states of the processes. A worker that serves has a pipe that the master doesn't.
KILLER = """
import json, os, random, signal, sys, time
from contextlib import suppress
from pathlib import Path

def pipes(process):
    count = 0
    # Files that were closed meanwhile, and those of zombies, can't be read.
    with suppress(OSError):
        for file in (process / "fd").iterdir():
            with suppress(OSError):
                count += os.readlink(file).startswith("pipe:")
    return count

def workers():
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if parent == "1":
                found[int(process.name)] = state, pipes(process) > pipes(Path("/proc/1"))
    return found

def serving():
    return [pid for pid, (_, serves) in workers().items() if serves]

full, took = int(sys.argv[1]), []
for _ in range(int(sys.argv[2])):
    while len(serving()) < full:
        time.sleep(0.01)
    os.kill(victim := random.choice(serving()), signal.SIGKILL)
    killed = time.monotonic()
    while victim in (now := serving()) or len(now) < full:
        time.sleep(0.01)
    took.append(time.monotonic() - killed)
print(json.dumps({"took": took, "states": sorted({state for state, _ in workers().values()})}))
"""


@pytest.mark.slow
def test_killed_workers_are_replaced_and_lose_only_their_own_requests(image):
    workers, kills = 4, 100

    async def kill() -> tuple[dict, Outcomes]:
        outcomes, killing = Outcomes(), True
        container, host = await start(image.name, f"--env=WEB_CONCURRENCY={workers}")
        try:
            clients = [asyncio.create_task(client(host, outcomes, ["/livez"], lambda: killing, 0.1)) for _ in range(20)]
            result = json.loads(await docker("exec", container, "python", "-c", KILLER, str(workers), str(kills)))
            killing = False
            await asyncio.gather(*clients)
        finally:
            await docker("rm", "--force", container)
        return result, outcomes

    result, outcomes = finish(kill())

    print(f"all serve again after {median(result['took']):.2f} s, {max(result['took']):.2f} s at most")
    assert len(result["took"]) == kills
    assert "Z" not in result["states"]
    # A worker has one request at a time.
    assert len(outcomes.failed) <= kills
    assert outcomes.refused == 0
    assert len(outcomes.answered) > 10 * kills


def test_hung_request_is_ended_and_concurrent_requests_continue(busy_image):
    async def hang() -> tuple[Outcomes, Outcomes, list[dict]]:
        hung, others, hanging = Outcomes(), Outcomes(), True
        container, host = await start(busy_image.name, "--env=WEB_CONCURRENCY=4", arguments=("--harakiri=2",))
        try:
            clients = [asyncio.create_task(client(host, others, ["/livez"], lambda: hanging, 0.05)) for _ in range(10)]
            await asyncio.gather(*[request(host, "/hang", hung) for _ in range(3)])
            hanging = False
            await asyncio.gather(*clients)
            return hung, others, await events(container)
        finally:
            await docker("rm", "--force", container)

    hung, others, log = finish(hang())

    assert len(hung.failed) == 3
    assert (others.failed, others.refused) == ({}, 0)
    assert others.answered
    assert sum("GET /hang" in event["event"] for event in log) >= 3, "the log says which request it was"


def test_stop_with_a_hung_request_ends_with_the_grace_period_and_others_finish(busy_image, tmp_path):
    grace = 4  # seconds; the slow page takes 2
    notes = Notes(tmp_path)

    async def stop() -> tuple[str, float, Outcomes, Outcomes]:
        hung, others = Outcomes(), Outcomes()
        container, host = await start(busy_image.name, notes.option, "--env=WEB_CONCURRENCY=4")
        try:
            slow = {"slow-1", "slow-2", "slow-3"}
            requests = [
                request(host, "/hang", hung, name="hung"),
                *[request(host, "/slow", others, name=name) for name in slow],
            ]
            running = [asyncio.create_task(one) for one in requests]
            while not notes.ids() >= {"hung", *slow}:
                await asyncio.sleep(0.05)
            began = time.monotonic()
            await docker("stop", f"--time={grace}", container)
            took = time.monotonic() - began
            await asyncio.gather(*running)
            return await docker("wait", container), took, hung, others
        finally:
            await docker("rm", "--force", container)

    status, took, hung, others = finish(stop())

    print(f"ended after {took:.1f} s, with a grace period of {grace} s")
    assert status == "137"
    assert (len(hung.failed), others.failed, len(others.answered)) == (1, {}, 3)


# Runs inside the container: prints the memory of its processes in kB, without those that have just ended.
RESIDENT = """
import re
from pathlib import Path
found = [re.search(r"VmRSS:\\s+(\\d+)", f.read_text()) for f in Path("/proc").glob("[0-9]*/status")]
print(sum(int(line[1]) for line in found if line))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_requests(image):
    """The measurements include the recycling of workers."""

    async def measure() -> tuple[int, int]:
        container, host = await start(image.name, "--env=WEB_CONCURRENCY=2")
        try:
            await asyncio.to_thread(hammer, host, 10_000)
            early = int(await docker("exec", container, "python", "-c", RESIDENT))
            await asyncio.gather(*[asyncio.to_thread(hammer, host, 45_000) for _ in range(2)])
            return early, int(await docker("exec", container, "python", "-c", RESIDENT))
        finally:
            await docker("rm", "--force", container)

    early, late = finish(measure())

    print(f"{early} kB after 10,000 requests, {late} kB after 100,000: {late / early:.3f}")
    assert late <= 1.1 * early


def test_reload_keeps_the_server_running(image):
    async def reload() -> Outcomes:
        container, host = await start(image.name, "--env=WEB_CONCURRENCY=2")
        try:
            await docker("kill", "--signal=HUP", container)
            outcomes = Outcomes()
            while not any("(RE)spawned uWSGI master" in event["event"] for event in await events(container)):
                assert await docker("inspect", "--format={{.State.Status}}", container) == "running"
                await asyncio.sleep(0.1)
            await request(host, "/readyz", outcomes)
            return outcomes
        finally:
            await docker("rm", "--force", container)

    outcomes = finish(reload(), 120)

    assert (len(outcomes.answered), outcomes.refused) == (1, 0), outcomes


def test_worker_that_leaks_is_replaced_between_two_requests(busy_image):
    async def leak() -> tuple[Outcomes, list[int]]:
        outcomes, held = Outcomes(), []
        # Without a minimum lifetime, so that the memory doesn't depend on the rate of requests.
        limit = ("--reload-on-rss=100", "--min-worker-lifetime=0")
        container, host = await start(busy_image.name, "--env=WEB_CONCURRENCY=2", arguments=limit)
        try:
            for _ in range(10):
                for _ in range(20):
                    await request(host, "/leak", outcomes)
                held.append(int(await docker("exec", container, "python", "-c", RESIDENT)))
            return outcomes, held
        finally:
            await docker("rm", "--force", container)

    outcomes, held = finish(leak())

    assert (len(outcomes.answered), outcomes.failed) == (200, {})
    assert max(held) < 350_000, held  # kB; without replacement it would be 800,000


def hostile_requests(count: int) -> Iterator[bytes]:
    """Make requests with characters in every place that could end a string, a line or an object, or begin a field."""
    chance = random.Random(2026)
    pieces = [b'"', b"\\", b"\n", b"\r", b"\x00", b"\x1b[2J", b"\xff\xfe", b"\xc3\xa9", b"%22", b"%0a", b"%00", b"%ff"]
    pieces += [
        b"{",
        b"}",
        b"'",
        b"$(id)",
        b"${msg}",
        b"%(x)s",
        b"%s%n",
        b"\xe2\x80\xa8",
        b"\xf0\x9f\x92\xa9",
        b"\t",
        b" ",
    ]
    pieces += [b'"forged": true', b'\n{"event": "forged"}\n', b'", "forged": "', b"a" * 9000, b"\\u0000", b"\\"]

    def text() -> bytes:
        return b"".join(chance.choices(pieces, k=chance.randint(1, 6)))

    for _ in range(count):
        method = chance.choice([b"GET", b"GET", b"POST", b"HEAD", text()])
        escaped = b"/%" + b"%".join(b"%02x" % chance.randrange(256) for _ in range(8))
        path = chance.choice([b"/", escaped, escaped + b"?" + escaped, b"/" + text(), b"/livez?" + text()])
        names = [b"User-Agent", b"X-Request-ID", b"Host", b"Referer", b"Cookie", b"X-Forwarded-For", text()]
        headers = b"".join(b"%b: %b\r\n" % (name, text()) for name in chance.sample(names, 4))
        yield b"%b %b HTTP/1.1\r\n%bContent-Length: 0\r\n\r\n" % (method, path, headers)


def test_no_request_can_forge_a_field_of_the_log(busy_image):
    count = 4000

    async def fuzz() -> tuple[bytes, Outcomes]:
        container, host = await start(busy_image.name, "--env=WEB_CONCURRENCY=8", arguments=("--socket-timeout=1",))
        outcomes = Outcomes()
        at_once = asyncio.Semaphore(16)

        async def send(data: bytes) -> None:
            async with at_once:
                reader, writer = await asyncio.open_connection(host, 8000)
                try:
                    writer.write(data)
                    await asyncio.wait_for(reader.read(), 60)
                except OSError:
                    pass  # some connections are closed before the request is read
                finally:
                    writer.close()

        try:
            await asyncio.gather(*[send(data) for data in hostile_requests(count)])
            await request(host, "/livez", outcomes)
            await docker("stop", container)
            logs = subprocess.run(["docker", "logs", container], check=True, stdout=subprocess.PIPE)
            return logs.stdout, outcomes
        finally:
            await docker("rm", "--force", container)

    log, outcomes = finish(fuzz())

    assert outcomes.answered
    lines = [json.loads(line.decode("utf-8")) for line in log.splitlines()]
    logged = [line for line in lines if line["event"] == "request"]
    assert len(logged) > count / 4, "most of it never reached the application"
    fields = {"client", "duration", "event", "level", "logger", "method", "path", "request_id", "status", "timestamp"}
    for line in logged:
        assert line.keys() == fields | {"user_agent"}
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", line["request_id"])
    assert not [line for line in lines if "forged" in line or line["event"] == "forged"]


def test_broken_import_ends_the_start_with_the_reason(image, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "flask.py").write_text("import no_such_module\n")

    options = [f"--volume={tmp_path}:/broken:ro", "--env=PYTHONPATH=/broken"]
    command = ["docker", "run", "--rm", *options, image.name]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, timeout=60)

    assert result.returncode != 0
    # Other processes of uWSGI may log after it.
    ends = [json.loads(line)["event"] for line in result.stdout.splitlines()[-5:]]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in ends
