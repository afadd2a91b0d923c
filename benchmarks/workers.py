"""How many workers? Rate, latency and memory of a realistic page, by CPUs, memory and workers."""

import re
from itertools import product

import load
from common import docker
from machine import say

STACKS = {"Flask on uWSGI": "load-flask-uwsgi", "FastAPI on Uvicorn": "load-fastapi-uvicorn"}
CPUS = (0.5, 1, 2)
MEMORY = (256, 512, 1024)  # MB
WORKERS = (1, 2, 4, 8, 16)
CONNECTIONS = 64


def measure(rounds: int) -> dict[str, dict[str, list]]:
    """Return, by stack and "CPUs MEMORY WORKERS", the rounds' rate (1/s), 99th percentile (ms), memory (MB), kills.

    It needs the images of load.py. WORKERS 0 is the default.
    """
    results: dict[str, dict[str, list]] = {stack: {} for stack in STACKS}
    for _, (stack, image) in product(range(rounds), STACKS.items()):
        # The memory limit matters only where it is reached: 1,024 MB for the curves, all limits for the default.
        curve = [(cpus, MEMORY[-1], workers) for cpus, workers in product(CPUS, WORKERS)]
        for cpus, memory, workers in [*curve, *((cpus, memory, 0) for cpus, memory in product(CPUS, MEMORY))]:
            options = [f"--cpus={cpus}", f"--memory={memory}m", f"--memory-swap={memory}m"]
            options += [f"--env=WEB_CONCURRENCY={workers}"] if workers else []
            with load.running(image, options=(*options, "--name=workers")) as host:
                load.wrk(host, 8000, "/work", CONNECTIONS)  # all workers have started, and are warm
                rate, _, slowest = load.wrk(host, 8000, "/work", CONNECTIONS)
                used, killed, processes = usage("workers")
            say(f"{stack}, {cpus} CPUs, {memory} MB, {workers or 'default'} workers: {rate:.0f}/s, {used:.0f} MB")
            results[stack].setdefault(f"{cpus:g} {memory} {workers}", []).append(
                [rate, slowest, used, killed, processes]
            )
    return results


def usage(container: str) -> tuple[float, int, int]:
    """Return a container's memory without caches in MB, how often it ran out of memory, and its processes."""
    read = "cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory.events 2>/dev/null || cat /sys/fs/cgroup/memory/memory.stat"
    printed = docker("exec", container, "sh", "-c", read)
    anonymous = int(re.search(r"^(?:anon|total_rss) (\d+)", printed, re.MULTILINE)[1])
    killed = re.search(r"^oom_kill (\d+)", printed, re.MULTILINE)
    # The shell that counts is one of them.
    processes = int(docker("exec", container, "sh", "-c", "set -- /proc/[0-9]*; echo $#")) - 1
    return round(anonymous / 1e6, 1), int(killed[1]) if killed else 0, processes
