"""Compares the template's image with those that a user would write instead, on this machine, and reports it.

Everything is measured in turn (A B C A B C …), in one run, for the same services on the same base images. The results
go to benchmarks/results.json, and from there into docs/evidence/benchmarks.md and its chart.
"""

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import report
from demo import free_port
from machine import ENGINE, run, say
from pythons import find_python

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parent
DOCKERFILES = HERE / "dockerfiles"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# The heavy service also imports what it depends on, as a real one would.
SERVICES = {"default": [], "heavy": ["numpy", "pandas", "pyarrow", "scipy"]}
IMPORTS = "import pandas\nimport pyarrow\nimport scipy.stats\n"
# A change of the dependencies adds one of these: small, pure Python, and without dependencies of their own.
EXTRAS = ["cachetools", "certifi", "decorator", "idna", "iniconfig", "packaging", "pluggy", "six", "sortedcontainers"]
# No proxy listens there: what needs the network fails. These build arguments are no part of a step's cache key.
NO_NETWORK = [
    f"--build-arg={name}=http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
]
START_TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class Contender:
    """An image of the service, by the Dockerfile that it is built with."""

    name: str
    dockerfile: Path
    tag: str

    @property
    def repository(self) -> str:
        """The image's name in the registry, without the registry."""
        return self.tag.partition("/")[2]


class Service:
    """A rendered service, and the states that it is measured in."""

    def __init__(self, folder: Path, requirements: list[str], states: int) -> None:
        self.folder = folder
        scaffold(folder)
        version = (folder / ".python-version").read_text(encoding="utf-8").strip()
        python = find_python(version, shutil.which("uv") or "uv")
        self.env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
        self.env["UV_PYTHON"] = python or sys.exit(f"uv needs a Python {version} to lock the service with")
        # requirements.txt is for pip.
        with (folder / ".dockerignore").open("a", encoding="utf-8") as file:
            file.write("!requirements.txt\n")
        (self.app,) = folder.glob("src/*/app.py")
        self.code = self.app.read_text(encoding="utf-8")
        if requirements:
            self.code = self.code.replace("import environ\n", f"import environ\n{IMPORTS}")
        self.locks = [self._lock(requirements)]
        self.locks += [self._lock([*requirements, extra]) for extra in EXTRAS[:states]]
        self.use_lock(0)
        self.change_code()

    def _lock(self, requirements: list[str]) -> dict[str, str]:
        quiet = {"cwd": self.folder, "env": self.env, "check": True, "stdout": subprocess.DEVNULL}
        names = ["pyproject.toml", "uv.lock", "requirements.txt"]
        before = {name: (self.folder / name).read_text(encoding="utf-8") for name in names[:2]}
        if requirements:
            subprocess.run(["uv", "add", "--quiet", "--no-sync", *requirements], **quiet)
        export = ["uv", "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes"]
        subprocess.run([*export, "--output-file", names[2]], **quiet)
        lock = {name: (self.folder / name).read_text(encoding="utf-8") for name in names}
        for name, text in before.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return lock

    def use_lock(self, number: int) -> None:
        """Depend on what lock *number* has; 0 is without an extra."""
        for name, text in self.locks[number].items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def change_code(self) -> None:
        """Make the code differ from all that was ever built."""
        changed = re.sub(r'("title": )".*"', rf'\1"{uuid.uuid4()}"', self.code)
        assert changed != self.code
        self.app.write_text(changed, encoding="utf-8")


def scaffold(folder: Path, **answers: str) -> None:
    """Make a service of the template as it is in this folder, uncommitted changes included."""
    options = ["--quiet", "--trust", "--defaults", "--vcs-ref=HEAD", "--data=dockerfile_syntax="]
    options += [f"--data={name}={answer}" for name, answer in answers.items()]
    run([sys.executable, "-W", "ignore", "-m", "copier", "copy", *options, str(TEMPLATE), str(folder)])


def one_build_stage(dockerfile: str) -> str:
    """Give the template's Dockerfile without a stage of its own for the dependencies.

    They are synced in the same stage in which the application's wheel is made afterwards. A cache mount of another name
    keeps the two from sharing any work.
    """
    for old, new in (
        ("FROM build AS application\n", ""),
        ("from=application,", "from=dependencies,"),
        ("--mount=type=cache,id=", "--mount=type=cache,id=one-stage-"),
    ):
        if old not in dockerfile:
            sys.exit(f"the template's Dockerfile has no {old!r} any more: adapt one_build_stage() in {__file__}")
        dockerfile = dockerfile.replace(old, new)
    return dockerfile


class Bench:
    """Measures one service with all contenders."""

    def __init__(self, service: Service, registry: str, rounds: int) -> None:
        self.service, self.registry, self.rounds = service, registry, rounds
        text = (service.folder / "Dockerfile").read_text(encoding="utf-8")
        one_stage = service.folder / "one-build-stage.Dockerfile"
        one_stage.write_text(one_build_stage(text), encoding="utf-8")
        dockerfiles = {
            "template": service.folder / "Dockerfile",
            "one build stage": one_stage,
            "two-stage uv": DOCKERFILES / "two-stage-uv.Dockerfile",
            "single-stage pip": DOCKERFILES / "single-stage-pip.Dockerfile",
        }
        self.contenders = [
            Contender(name, path, f"{registry}/bench-{uuid.uuid4().hex[:8]}/{name.replace(' ', '-')}")
            for name, path in dockerfiles.items()
        ]
        self.arguments = re.findall(r"^ARG (\w+_IMAGE=.+)$", text, re.MULTILINE)
        self.base = next(arg for arg in self.arguments if arg.startswith("BASE_IMAGE=")).partition("=")[2]
        self.results: dict[str, dict] = {contender.name: {} for contender in self.contenders}

    def record(self, contender: Contender, measure: str, value: float) -> None:
        """Add one measured value."""
        self.results[contender.name].setdefault(measure, []).append(round(value, 3))

    def in_turn(self, rounds: int, contenders: list[Contender] | None = None) -> Iterator[tuple[int, Contender]]:
        """Give every contender once per round; who begins changes from round to round."""
        contenders = contenders or self.contenders
        for number in range(rounds):
            for place in range(len(contenders)):
                yield number, contenders[(number + place) % len(contenders)]

    def build(self, contender: Contender, *options: str, check: bool = True) -> tuple[float, str, int]:
        """Build; give the seconds, the log and the exit status."""
        command = ["docker", "build", "--progress=plain", "--file", str(contender.dockerfile), "--tag", contender.tag]
        command += [f"--build-arg={argument}" for argument in self.arguments]
        if CERTIFICATES.is_file():
            command += [f"--secret=id=ca-certificates,src={CERTIFICATES}"]
        os.sync()  # what others wrote must not be waited for here
        started = time.perf_counter()
        done = subprocess.run([*command, *options, "."], cwd=self.service.folder, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if check and done.returncode:
            sys.exit(f"{contender.name} does not build:\n{done.stderr[-4000:]}")
        return seconds, done.stderr, done.returncode

    def cold(self, rounds: int) -> None:
        """Build with empty caches.

        These contenders share neither a step nor a cache mount, so one emptying a round is enough, and after the last
        round all is warm. The variant has the template's steps, so it would find them done.
        """
        variant = next(one for one in self.contenders if one.name == "one build stage")
        others = [one for one in self.contenders if one is not variant]
        for number, contender in self.in_turn(rounds, others):
            if contender is others[number % len(others)]:
                prune()
            seconds, _, _ = self.build(contender)
            say(f"cold build, {contender.name}: {seconds:.1f} s")
            self.record(contender, "cold", seconds)
        self.build(variant)

    def code(self, rounds: int) -> None:
        """Change the code, build, push; then look at what is new in the registry."""
        for contender in self.contenders:
            self.push(contender)
        for _, contender in self.in_turn(rounds):
            before = self.layers(contender)
            self.service.change_code()
            built, log, _ = self.build(contender)
            pushed = self.push(contender)
            new = [size for digest, size in self.layers(contender).items() if digest not in before]
            say(f"code change, {contender.name}: {built:.2f} s, push {pushed:.2f} s")
            self.record(contender, "code", built)
            self.record(contender, "code and push", built + pushed)
            self.record(contender, "steps", steps(log))
            self.record(contender, "new bytes", sum(unpacked for unpacked, _ in new))
            self.record(contender, "new bytes, packed", sum(packed for _, packed in new))
        for contender in self.contenders:
            sizes = self.layers(contender).values()
            self.results[contender.name]["image"] = sum(unpacked for unpacked, _ in sizes)
            self.results[contender.name]["image, packed"] = sum(packed for _, packed in sizes)
            self.results[contender.name]["base"] = int(docker("image", "inspect", "--format={{.Size}}", self.base))

    def offline(self) -> None:
        """Change the code and build where no proxy answers."""
        for contender in self.contenders:
            self.service.change_code()
            _, _, status = self.build(contender, *NO_NETWORK, check=False)
            say(f"code change without a network, {contender.name}: {'fails' if status else 'builds'}")
            self.results[contender.name]["offline"] = not status

    def start(self, rounds: int) -> None:
        """Start a container and wait for its first 200."""
        for _, contender in self.in_turn(rounds):
            seconds = first_200(contender.tag)
            say(f"first 200, {contender.name}: {seconds:.2f} s")
            self.record(contender, "start", seconds)

    def dependency(self, rounds: int) -> None:
        """Add a dependency that no earlier build had, and build."""
        for number, contender in self.in_turn(rounds):
            # The variant gets another one: its environment would be found done, because its content is the template's.
            self.service.use_lock(1 + 2 * number + (contender.name == "one build stage"))
            seconds, _, _ = self.build(contender)
            say(f"dependency change, {contender.name}: {seconds:.2f} s")
            self.record(contender, "dependency", seconds)

    def push(self, contender: Contender) -> float:
        """Push; give the seconds."""
        os.sync()
        started = time.perf_counter()
        docker("push", "--quiet", contender.tag)
        return time.perf_counter() - started

    def layers(self, contender: Contender) -> dict[str, tuple[int, int]]:
        """Give the bytes of each layer of what was pushed, unpacked and packed, by the packed layer's digest."""
        manifest = self.fetch(contender, "manifests/latest")
        config = self.fetch(contender, f"blobs/{manifest['config']['digest']}")
        sizes = docker("history", "--human=false", "--format={{.Size}}", contender.tag).split()
        unpacked = [
            int(size)
            for size, step in zip(reversed(sizes), config["history"], strict=True)
            if not step.get("empty_layer")
        ]
        return {
            layer["digest"]: (size, layer["size"]) for layer, size in zip(manifest["layers"], unpacked, strict=True)
        }

    def fetch(self, contender: Contender, what: str) -> dict:
        """Get a JSON document from the registry."""
        connection = http.client.HTTPConnection(self.registry)
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        connection.request("GET", f"/v2/{contender.repository}/{what}", headers={"Accept": kind})
        return json.load(connection.getresponse())

    def measure(self) -> dict[str, dict]:
        """Do all of it; leave no image."""
        try:
            self.cold(few(self.rounds))
            self.code(self.rounds)
            self.offline()
            self.start(2 * self.rounds)
            self.dependency(few(self.rounds))
        finally:
            tags = [contender.tag for contender in self.contenders]
            subprocess.run(["docker", "rmi", "--force", *tags], capture_output=True)
            docker("image", "prune", "--force")
        return self.results


def few(rounds: int) -> int:
    """Give the number of rounds for what takes long."""
    return min((rounds + 2) // 3, len(EXTRAS) // 2)


def steps(log: str) -> int:
    """Count the steps of the Dockerfile that a build ran anew."""
    names = dict(re.findall(r"^#(\d+) \[(?!internal)([^\]]+)\] (?!FROM )", log, re.MULTILINE))
    return sum(f"#{number} CACHED" not in log for number in names)


def first_200(image: str, *settings: str) -> float:
    """Give the seconds from `docker run`, with these options, to the first 200 of /livez."""
    port, name = free_port(), f"bench-{uuid.uuid4().hex[:8]}"
    started = time.perf_counter()
    try:
        # A request sent before this returns would be held by the engine's proxy for a second.
        # As many workers in each: ours would follow the CPUs.
        options = ["--env=WEB_CONCURRENCY=2", f"--publish=127.0.0.1:{port}:8000", *settings]
        docker("run", "--detach", "--name", name, *options, image)
        while time.perf_counter() - started < START_TIMEOUT:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/livez")
                if connection.getresponse().status == 200:
                    return time.perf_counter() - started
            except (OSError, http.client.HTTPException):
                time.sleep(0.003)
            finally:
                connection.close()
        sys.exit(f"{image} did not answer within {START_TIMEOUT} s")
    finally:
        docker("rm", "--force", name)


def docker(*arguments: str) -> str:
    """Run the engine's client; give its output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def prune() -> None:
    """Empty the engine's build cache, cache mounts included."""
    docker("builder", "prune", "--all", "--force")


@contextmanager
def engine(*, ordinary: bool) -> Iterator[str]:
    """Have an engine and a registry; give the registry's address."""
    if not ordinary:
        # The ordinary engine's build cache is not ours to empty.
        os.environ["DOCKER_HOST"] = "unix:///nonexistent"
    run([str(ENGINE), "start"])
    printed = subprocess.run([str(ENGINE), "env"], check=True, capture_output=True, text=True).stdout
    for name, text in re.findall(r"^export (\w+)=(.*)$", printed, re.MULTILINE):
        os.environ[name] = text.replace('"$PATH"', os.environ["PATH"])
    ours = subprocess.run([str(ENGINE), "registry", "address"], capture_output=True).returncode
    run([str(ENGINE), "registry", "start"])
    try:
        yield subprocess.run(
            [str(ENGINE), "registry", "address"], check=True, capture_output=True, text=True
        ).stdout.strip()
    finally:
        if ours:
            run([str(ENGINE), "registry", "stop"])


def describe() -> dict[str, object]:
    """Say what was measured on."""
    info = json.loads(docker("info", "--format={{json .}}"))
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return {
        "processor": next(iter(models), platform.machine()),
        "cores": os.cpu_count(),
        "memory": info["MemTotal"],
        "kernel": info["KernelVersion"].partition("-")[0],
        "engine": info["ServerVersion"],
        "storage": info["Driver"],
    }


def main() -> None:
    """Measure, or only render what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="rounds of a code change; the rest in proportion")
    parser.add_argument("--quick", action="store_true", help="one round: to see that it works, not to compare")
    parser.add_argument("--service", choices=SERVICES, action="append", help="only this one")
    parser.add_argument("--render", action="store_true", help="only make the tables and the chart, from the results")
    parser.add_argument("--ordinary-engine", action="store_true", help="use Docker itself and EMPTY ITS BUILD CACHE")
    options = parser.parse_args()
    if not options.render:
        measure_all(1 if options.quick else options.rounds, options.service or list(SERVICES), options.ordinary_engine)
    report.write()


def measure_all(rounds: int, services: list[str], ordinary: bool) -> None:
    """Measure the *services* and store the results beside those of the others."""
    results = json.loads(report.RESULTS.read_text(encoding="utf-8")) if report.RESULTS.is_file() else {"services": {}}
    with engine(ordinary=ordinary) as registry, tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        results["machine"] = describe()
        for name in services:
            # A heavy service takes its time, and differs by factors.
            count = (rounds + 1) // 2 if SERVICES[name] else rounds
            say(f"the {name} service, {count} rounds")
            service = Service(Path(folder) / name / "my-service", SERVICES[name], 2 * few(count))
            bench = Bench(service, registry, count)
            images = [argument.partition("=")[2] for argument in bench.arguments]
            run([str(ENGINE), "stand-ins", *images])
            results["machine"]["images"] = images
            stand_in = docker("image", "inspect", '--format={{index .Config.Labels "stand-in"}}', bench.base)
            results["machine"]["stand-ins"] = stand_in == "true"
            results["services"][name] = bench.measure()
            report.RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
