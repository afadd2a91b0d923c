"""Measures every combination that is built here, beside each other, and writes docs/combinations.md.

All containers have two workers. Each round loads all of them in turn, so a ratio compares what ran at the same time.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import install, run, say
from platforms import PLATFORMS, server_choices, stack
from run import CERTIFICATES, ENGINE, TEMPLATE, describe, docker, engine, first_200

BUILT = ["debian-13", "debian-12"]
PAIRS = [
    (framework, server) for framework in ("flask", "django", "fastapi") for server in server_choices(framework).values()
]
PAGE = TEMPLATE / "docs" / "combinations.md"
CONNECTIONS = 32
SECONDS = 3

# A page that is like a real one: it waits 20 ms for something else, computes a little, and answers with JSON.
WORK = {
    "wsgi": """
inner = application


def application(environ, start_response):
    import json
    import time

    if environ["PATH_INFO"] != "/work":
        return inner(environ, start_response)
    time.sleep(0.02)
    body = json.dumps({"sum": sum(n * n for n in range(1000)), "items": list(range(100))}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
""",
    "asgi": """
inner = application


async def application(scope, receive, send):
    import asyncio
    import json

    if scope.get("path") != "/work":
        return await inner(scope, receive, send)
    await asyncio.sleep(0.02)
    body = json.dumps({"sum": sum(n * n for n in range(1000)), "items": list(range(100))}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
""",
}
SETTINGS = [f"--env=SECRET_KEY={10 * 'secret'}", "--env=DATABASE_URL=sqlite://:memory:", "--env=WEB_CONCURRENCY=2"]


@dataclass
class Combination:
    """An image, and what was measured of it."""

    platform: str
    framework: str
    server: str
    size: int = 0
    starts: list[float] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=lambda: {"/livez": [], "/work": []})

    @property
    def tag(self) -> str:
        """Name its image."""
        return f"combination:{self.platform}-{self.framework}-{self.server}"

    def build(self, folder: Path) -> None:
        """Make a service, build its image, and add the page to it."""
        service = folder / "my-service"
        data = {"platform": self.platform, "framework": self.framework, "server": self.server, "dockerfile_syntax": ""}
        options = ["--quiet", "--trust", "--defaults", "--vcs-ref=HEAD", *(f"--data={k}={v}" for k, v in data.items())]
        run([sys.executable, "-W", "ignore", "-m", "copier", "copy", *options, str(TEMPLATE), str(service)])
        dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
        run([str(ENGINE), "stand-ins", *re.findall(r"^ARG \w+_IMAGE=(\S+)", dockerfile, re.MULTILINE)])
        secret = [f"--secret=id=ca-certificates,src={CERTIFICATES}"] if CERTIFICATES.is_file() else []
        docker("build", "--quiet", *secret, f"--tag={self.tag}", str(service))
        self.size = int(docker("image", "inspect", "--format={{.Size}}", self.tag))
        interface = str(
            stack(**{k: v for k, v in data.items() if k != "dockerfile_syntax"}, package_name="")["interface"]
        )
        (folder / "work.py").write_text(WORK[interface], encoding="utf-8")
        target = f"/app/lib/python{PLATFORMS[self.platform].python}/site-packages/my_service/{interface}.py"
        lines = [f"FROM {self.tag}", "USER 0", "COPY work.py /work.py", f"RUN cat /work.py >> {target}", "USER 10001"]
        (folder / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
        docker("build", "--quiet", f"--tag={self.tag}-work", str(folder))


def load(host: str, path: str) -> float:
    """Give the answers per second of a page."""
    command = [
        "wrk",
        "--threads=1",
        f"--connections={CONNECTIONS}",
        f"--duration={SECONDS}s",
        f"http://{host}:8000{path}",
    ]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if failed := re.search(r"Non-2xx or 3xx responses: (\d+)", printed):
        sys.exit(f"{path}: {failed[0]}")
    return float(re.search(r"Requests/sec: +([\d.]+)", printed)[1])


def measure(rounds: int) -> list[Combination]:
    """Build and measure all combinations."""
    combinations = [Combination(platform, *pair) for platform in BUILT for pair in PAIRS]
    for combination in combinations:
        say(f"building {combination.tag}")
        with tempfile.TemporaryDirectory() as folder:
            combination.build(Path(folder))
    containers = []
    try:
        for combination in combinations:
            containers.append(docker("run", "--detach", *SETTINGS, f"{combination.tag}-work"))
        time.sleep(20)  # all of them start at once
        hosts = [docker("inspect", "--format={{.NetworkSettings.IPAddress}}", name) for name in containers]
        for number in range(rounds):
            for path in ("/livez", "/work"):
                for place in range(len(combinations)):
                    which = (number + place) % len(combinations)
                    rate = load(hosts[which], path)
                    say(f"{combinations[which].tag} {path}: {rate:.0f} a second")
                    combinations[which].rates[path].append(rate)
    finally:
        docker("rm", "--force", *containers)
    for _ in range(rounds):
        for combination in combinations:
            combination.starts.append(first_200(combination.tag, *SETTINGS))
    return combinations


def ratios(one: Combination, default: Combination, path: str) -> str:
    """Give how many times as many answers it gave as the default, with the lowest and highest of the rounds."""
    of_rounds = [rate / base for rate, base in zip(one.rates[path], default.rates[path], strict=True)]
    return f"{statistics.median(of_rounds):.2f} ({min(of_rounds):.2f} to {max(of_rounds):.2f})"


def write(combinations: list[Combination], machine: dict[str, object], rounds: int) -> None:
    """Write the page."""
    default = combinations[0]
    rows = [
        f"| {one.platform} | {one.framework} | {one.server} | {one.size / 1e6:.0f} MB"
        f" | {statistics.median(one.starts):.2f} s | {ratios(one, default, '/livez')} | {ratios(one, default, '/work')} |"
        for one in combinations
    ]
    PAGE.write_text(
        f"""# Every combination

Made by `make combinations`, in {rounds} rounds on {machine["cores"]} cores of a {machine["processor"]}, on stand-ins for the
base images where these can't be pulled. Every row passes all tests that a service has of its image, and loses no request
when it is stopped under load: [tests/combinations/](../tests/combinations/), and for the default
[tests/image/](../tests/image/).

- **Image:** all layers, that of the base image included.
- **Start:** from `docker run` to the first 200 of `/livez`, median.
- **Answers per second**, by {CONNECTIONS} connections of one client on the same machine, with two workers; as a ratio to
  the first row in the same round: median, lowest and highest. Trivial is `/livez`; realistic waits 20 ms, computes a
  little and answers 400 bytes of JSON, outside the framework. uWSGI closes each connection after its answer, the others
  keep it; uWSGI serves one request per worker at once, Gunicorn and Granian four with WSGI, and ASGI servers have no limit.

| platform | framework | server | image | start | trivial | realistic |
| --- | --- | --- | --- | --- | --- | --- |
"""
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        install("wrk", why="it makes the load")
    os.environ.setdefault("UV_PYTHON_DOWNLOADS", "automatic")
    with engine(ordinary=True):
        write(measure(options.rounds), describe(), options.rounds)


if __name__ == "__main__":
    main()
