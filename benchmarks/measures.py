"""What is measured of each contender's image."""

import gzip
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contenders import CLIENT, STACKS, Contender, build_client, docker, make_contenders

PARTS = ("start", "rebuild", "size", "rate")
ROUNDS = {"start": 21, "rebuild": 11, "rate": 5}
START_TIMEOUT = 60  # seconds
CONNECTIONS = (1, 16)
# Enough for a second or two, and few enough for the client's ports: uWSGI closes each connection.
REQUESTS = 4000
WARM_UP = 400


def say(message: str) -> None:
    """Print what happens."""
    print(message, flush=True)


def measure(name: str, parts: list[str], rounds: dict[str, int], folder: Path) -> dict[str, dict[str, list[float]]]:
    """Measure a stack's contenders, in turn; return the values of each."""
    say(f"{name}: building")
    contenders = make_contenders(STACKS[name], folder)
    try:
        for contender in contenders:
            contender.build()
            if "size" in parts:
                contender.record("size", image_size(contender.tag) - image_size(contender.images["BASE_IMAGE"]))
        if "rebuild" in parts:
            measure_rebuilds(contenders, rounds["rebuild"])
        if "start" in parts:
            measure_starts(contenders, rounds["start"])
        if "rate" in parts:
            build_client(folder / CLIENT, contenders[0].images["BASE_IMAGE"])
            measure_rates(contenders, rounds["rate"])
    finally:
        subprocess.run(["docker", "rmi", "--force", *(one.tag for one in contenders)], capture_output=True, check=False)
    return {contender.name: contender.results for contender in contenders}


def in_turn(contenders: list[Contender], rounds: int) -> Iterator[Contender]:
    """Yield every contender once per round; each round begins with a different one."""
    for number in range(rounds):
        for place in range(len(contenders)):
            yield contenders[(number + place) % len(contenders)]


def image_size(image: str) -> int:
    """Return the bytes of an image's layers, unpacked."""
    return int(docker("image", "inspect", "--format={{.Size}}", image))


def measure_rebuilds(contenders: list[Contender], rounds: int) -> None:
    """Change a line of code and build; the first time, find the new layers, too."""
    for contender in in_turn(contenders, rounds):
        before = {} if "layers" in contender.results else layers(contender.tag)
        old = docker("image", "inspect", "--format={{.Id}}", contender.tag)
        contender.change_code()
        os.sync()  # so that the build doesn't wait for earlier writes
        started = time.perf_counter()
        contender.build()
        contender.record("rebuild", time.perf_counter() - started)
        say(f"{contender.name}: rebuilt in {contender.results['rebuild'][-1]:.2f} s")
        docker("rmi", old)
        if before:
            new = [blob for name, blob in layers(contender.tag).items() if name not in before]
            contender.record("layers", sum(map(unpacked, new)))
            contender.record("layers, compressed", sum(len(gzip.compress(blob)) for blob in new))


def layers(image: str) -> dict[str, bytes]:
    """Return the layers of an image by their digests."""
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving,
        tarfile.open(fileobj=saving.stdout, mode="r|") as saved,
    ):
        files = {member.name: saved.extractfile(member).read() for member in saved if member.isfile()}
    return {name: files[name] for name in json.loads(files["manifest.json"])[0]["Layers"]}


def unpacked(layer: bytes) -> int:
    """Return the bytes of a layer's files."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        return sum(member.size for member in files)


def measure_starts(contenders: list[Contender], rounds: int) -> None:
    """Start a container of each in turn, until its first 200; the first round, which reads files from the disk, is left out."""
    for number, contender in enumerate(in_turn(contenders, rounds + 1)):
        with running(contender) as (_, _, seconds):
            if number >= len(contenders):
                contender.record("start", seconds)
        say(f"{contender.name}: started in {seconds:.3f} s")


@contextmanager
def running(contender: Contender) -> Iterator[tuple[str, str, float]]:
    """Run a container; yield its name, its address, and the seconds from `docker run` to its first 200."""
    name = f"benchmark-{uuid.uuid4().hex[:8]}"
    started = time.perf_counter()
    try:
        docker("run", "--detach", f"--name={name}", *contender.options, contender.tag, *contender.command)
        # Not by a published port: the engine's proxy accepts connections before the service does.
        host = docker("inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        while not responds(host):
            if time.perf_counter() - started > START_TIMEOUT:
                sys.exit(f"{contender.name} did not respond within {START_TIMEOUT} s:\n{output(name)}")
            time.sleep(0.003)
        yield name, host, time.perf_counter() - started
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


def responds(host: str) -> bool:
    """Return whether a service is live."""
    connection = http.client.HTTPConnection(host, 8000, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def output(container: str) -> str:
    """Return the end of what a container has printed."""
    command = ["docker", "logs", "--tail=40", container]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def measure_rates(contenders: list[Contender], rounds: int) -> None:
    """Send requests for "/" to a container of each in turn; then see how much memory it uses."""
    for contender in in_turn(contenders, rounds):
        with running(contender) as (name, host, _):
            load(host, max(CONNECTIONS), WARM_UP)
            for connections in CONNECTIONS:
                contender.record(f"rate {connections}", load(host, connections, REQUESTS))
            contender.record("memory", memory(name))
        rates = " and ".join(f"{contender.results[f'rate {number}'][-1]:.0f}" for number in CONNECTIONS)
        say(f"{contender.name}: {rates} requests/s, {contender.results['memory'][-1] / 1e6:.0f} MB")


def load(host: str, connections: int, requests: int) -> float:
    """Return the rate of requests on that many connections, which are kept if the server does so, in requests/s."""
    options = ["-q", "-k", "-n", str(requests), "-c", str(connections), "-H", "Host: localhost"]
    printed = docker("run", "--rm", CLIENT, "ab", *options, f"http://{host}:8000/")
    if not re.search(r"^Failed requests: +0$", printed, re.MULTILINE) or "Non-2xx" in printed:
        sys.exit(f"requests failed:\n{printed}")
    return float(re.search(r"^Requests per second: +([\d.]+)", printed, re.MULTILINE)[1])


def memory(container: str) -> int:
    """Return the bytes that a container's processes use, without the page cache, which containers share."""
    statistics = "/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"  # cgroup 2 and 1
    printed = docker("exec", container, "sh", "-c", f"cat {statistics[0]} 2>/dev/null || cat {statistics[1]}")
    return int(re.search(r"^(?:anon|total_rss) (\d+)", printed, re.MULTILINE)[1])
