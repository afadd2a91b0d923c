"""Measure every combination whose image can be built here, and write docs/evidence/combinations.md.

The results of a complete `make test-all` show which checks passed. Each round loads all services in turn, so a ratio
compares measurements that were made shortly after each other. A combination that can't be built here, because it needs
Ubuntu's packages, keeps its row in the page, and its date.
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
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from choices import FRAMEWORKS, PLATFORMS, server_choices
from common import TEMPLATE, base_images, build, describe, docker, engine, scaffold
from images import first_200
from load import PAGES
from machine import install, say, service_python

TESTS = "make test-all"
PAGE = TEMPLATE / "docs" / "evidence" / "combinations.md"
RESULTS = TEMPLATE / ".pytest_cache" / "results.xml"
CONNECTIONS = 32
SECONDS = 3
# The platform on which the checks for each platform ran: the first with the same Python.
CHECKED_ON = {
    name: next(other for other in PLATFORMS if PLATFORMS[other].python == platform.python)
    for name, platform in PLATFORMS.items()
}
DEFAULT = ("debian-13", "flask", "uwsgi")

SETTINGS = [f"--env=SECRET_KEY={10 * 'secret'}", "--env=DATABASE_URL=sqlite://:memory:"]
# The measurements: the page, and the threads of a WSGI worker (empty: the server's default).
LOADS = {"trivial": ("/livez", ""), "realistic": ("/work", ""), "16 threads": ("/work", "16")}


@dataclass
class Combination:
    """A combination, its passed checks, and its measurements."""

    platform: str
    framework: str
    server: str
    passed: set[str] = field(default_factory=set)
    size: int = 0
    starts: list[float] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LOADS})

    @property
    def name(self) -> str:
        """Return its name in the tests' ids."""
        return f"{self.platform}-{self.framework}-{self.server}"

    def build(self, folder: Path) -> None:
        """Build its image, and another one with the realistic page."""
        # On PATH, uv also finds a Python that isn't the system's.
        python = Path(service_python(PLATFORMS[self.platform].python))
        os.environ["PATH"] += f"{os.pathsep}{python.parent}"
        scaffold(folder, platform=self.platform, framework=self.framework, server=self.server)
        base_images(folder)
        build(folder, f"combination:{self.name}")
        self.size = int(docker("image", "inspect", "--format={{.Size}}", f"combination:{self.name}"))
        interface = FRAMEWORKS[self.framework].interface
        with (folder / f"src/my_service/{interface}.py").open("a", encoding="utf-8") as file:
            file.write(PAGES[interface])
        build(folder, f"combination:{self.name}-work")


def read_results(files: list[Path]) -> list[Combination]:
    """Return all combinations with their passed checks; exit if a result is missing or a test failed.

    If several files have the same test, the last one counts.
    """
    cases: dict[tuple[str, str], bool] = {}
    for file in files:
        if not file.is_file():
            sys.exit(f"There is no {file}: run `{TESTS}` first, which writes it.")
        for case in ET.parse(file).iter("testcase"):
            outcomes = {child.tag for child in case}
            # Without a mirror for Ubuntu, these tests are skipped.
            if "skipped" in outcomes and "ubuntu-" in case.get("name", ""):
                continue
            passed = not outcomes & {"failure", "error", "skipped"}
            cases[case.get("classname", "").removeprefix("tests."), case.get("name", "")] = passed
    shown: dict[str, set[str]] = {}
    for (module, name), passed in cases.items():
        test, _, which = name.rstrip("]").partition("[")
        if not passed and module.startswith(("combinations.", "image.", "service.")):
            sys.exit(f"{module}: {name} did not pass: run the whole of `{TESTS}` again.")
        if module.startswith("combinations."):
            shown.setdefault(which, set()).add(test)
        elif module in {"image.test_contract", "image.test_lifecycle", "service.test_service"}:
            shown.setdefault("-".join(DEFAULT), set()).add(module)
    combinations = [
        Combination(platform, framework, server)
        for platform in PLATFORMS
        for framework in FRAMEWORKS
        for server in server_choices(framework).values()
    ]
    for one in combinations:
        checked = f"{CHECKED_ON[one.platform]}-{one.framework}-{one.server}"
        if shown.get(checked, set()) & {"test_own_checks_pass", "service.test_service"}:
            one.passed.add("checks")
        if shown.get(one.name, set()) & {"test_image_passes_the_services_container_tests", "image.test_contract"}:
            one.passed.add("promises")
        if shown.get(one.name, set()) & {"test_stop_under_load_loses_no_request", "image.test_lifecycle"}:
            one.passed.add("stops")
        if "checks" not in one.passed:
            sys.exit(f"The checks of {checked} have no result: run the whole of `{TESTS}` again.")
    return combinations


def load(host: str, path: str) -> float:
    """Measure the responses per second of a page."""
    options = ["--threads=1", f"--connections={CONNECTIONS}", f"--duration={SECONDS}s"]
    command = ["wrk", *options, f"http://{host}:8000{path}"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if failed := re.search(r"Non-2xx or 3xx responses: \d+", printed):
        sys.exit(f"{path}: {failed[0]}")
    return float(re.search(r"Requests/sec: +([\d.]+)", printed)[1])


def run_container(image: str, threads: str) -> tuple[str, str]:
    """Start a service with two workers; return its container and its address when it is ready."""
    settings = [*SETTINGS, "--env=WEB_CONCURRENCY=2", *([f"--env=WEB_THREADS={threads}"] if threads else [])]
    name = docker("run", "--detach", *settings, image)
    host = docker("inspect", "--format={{.NetworkSettings.IPAddress}}", name)
    probe = f"import urllib.request; urllib.request.urlopen('http://{host}:8000/readyz', timeout=5)"
    for _ in range(100):
        if not subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode:
            return name, host
        time.sleep(0.2)
    sys.exit(f"{image} isn't ready:\n{docker('logs', name)}")


def measure(combinations: list[Combination], rounds: int) -> None:
    """Build and measure the *combinations*."""
    for one in combinations:
        say(f"building {one.name}")
        with tempfile.TemporaryDirectory() as folder:
            one.build(Path(folder) / "my-service")
    for number in range(rounds):
        for place in range(len(combinations)):
            one = combinations[(number + place) % len(combinations)]
            one.starts.append(first_200(f"combination:{one.name}", "--env=WEB_CONCURRENCY=2", *SETTINGS))
    for what, (path, threads) in LOADS.items():
        running = []
        try:
            for one in combinations:
                running.append(run_container(f"combination:{one.name}-work", threads))
            for number in range(rounds):
                for place in range(len(combinations)):
                    which = (number + place) % len(combinations)
                    rate = load(running[which][1], path)
                    say(f"{what}, {combinations[which].name}: {rate:.0f} a second")
                    combinations[which].rates[what].append(rate)
        finally:
            docker("rm", "--force", *[name for name, _ in running])


def ratio(one: Combination, default: Combination, what: str) -> str:
    """Return the ratio of its responses per second to the default's: median, lowest and highest of the rounds."""
    found = [rate / base for rate, base in zip(one.rates[what], default.rates[what], strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def write(combinations: list[Combination], machine: dict[str, object], rounds: int) -> None:
    """Write the page."""
    default = next(one for one in combinations if one.name == "-".join(DEFAULT))
    page = PAGE.read_text(encoding="utf-8")
    rows = []
    for one in combinations:
        which = f"| {one.platform} | {one.framework} | {one.server} |"
        if not one.size:
            kept = re.search(rf"^{re.escape(which)}.*", page, re.MULTILINE)
            rows.append(kept[0] if kept else which + 9 * " - |")
            continue
        cells = ["yes" if what in one.passed else "no" for what in ("checks", "promises", "stops")]
        cells += [str(datetime.now(UTC).date())]
        cells += [f"{one.size / 1e6:.0f} MB", f"{statistics.median(one.starts):.2f} s"]
        cells += [ratio(one, default, what) for what in LOADS]
        rows.append(f"{which} {' | '.join(cells)} |")
    absolute = ", ".join(f"{statistics.median(default.rates[what]):.0f} ({what})" for what in LOADS)
    PAGE.write_text(
        f"""# Every combination

Written by `make combinations` from the results of `{TESTS}` and from {rounds} rounds of
measuring, with stand-ins for the base images where these can't be pulled, on a machine with {machine["cores"]} cores
({machine["processor"]}).

- **Checks:** the service locks, lints (Ruff) and type-checks (mypy), and its own tests cover every line. They run on
  the platform's Python; platforms with the same Python have the same files, except for the image's.
- **Promises:** its image passes all tests that a service has of its image. **Stops:** stopped under load by SIGTERM and
  SIGINT, it loses no accepted request and exits with status 0.
- **Verified:** the day of these tests and measurements. If it is older than the others, the platform's base image has
  been unavailable since.
- **Image:** all layers, the base image's included. **Start:** from `docker run` to the first 200 of `/livez`, median.
- **Responses per second** of two workers to {CONNECTIONS} connections of one client on the same machine, as a ratio to the default
  in the same round: median (lowest to highest). *Trivial* is `/livez`, through framework, request ID and access log.
  *Realistic* waits 20 ms, computes a little and sends 400 bytes of JSON, outside the framework; once with the server's
  defaults, and once with `WEB_THREADS=16`. The default's responses per second:
  {absolute}.

uWSGI closes each connection after its response, the other servers keep it open. By default, uWSGI serves one request
per worker at a time, Gunicorn and Granian four with WSGI, and ASGI servers any number. Only that makes the difference
in *realistic*: with 16 threads, in the last column, it disappears.

| platform | framework | server | checks | promises | stops | verified | image | start | trivial | realistic | realistic, 16 threads |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, nargs="+", default=[RESULTS], help="JUnit files of these tests")
    options = parser.parse_args()
    combinations = read_results(options.results)
    if not shutil.which("wrk"):
        install("wrk", why="it generates the load")
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    with engine(ordinary=True):
        measure([one for one in combinations if "promises" in one.passed], options.rounds)
        write(combinations, describe(), options.rounds)


if __name__ == "__main__":
    main()
