"""Build, start and rebuild the template's image and those that one would write instead."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import CERTIFICATES, TEMPLATE, build, docker, scaffold
from demo import free_port
from machine import say
from pythons import find_python

DOCKERFILES = Path(__file__).resolve().parent / "dockerfiles"

# The heavy service also imports its dependencies, as a real one would.
SERVICES = {"default": [], "heavy": ["numpy", "pandas", "pyarrow", "scipy"]}
IMPORTS = "import pandas\nimport pyarrow\nimport scipy.stats\n"
# A change of the dependencies adds one of these: small, pure Python, without further dependencies.
EXTRAS = ["cachetools", "certifi", "decorator", "idna", "iniconfig", "packaging", "pluggy", "six", "sortedcontainers"]
# No proxy listens there, so access to the network fails. These build arguments aren't part of a step's cache key.
NO_NETWORK = [
    f"--build-arg={name}=http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
]
GUNICORN = "gunicorn==27.0.1"
# The template takes uWSGI's wheel; the others compile uWSGI, as the documents that they follow do.
WHEEL, FROM_SOURCE = "pyuwsgi>=2.0.30", "uwsgi>=2.0.31"
OURS = ("template", "build-image")
BUILD_IMAGE = "python-build:benchmark"
START_TIMEOUT = 60  # seconds
OTHERS = ["article", "uv-example", "docker-init", "tutorial", "limit"]


@dataclass(frozen=True)
class Contender:
    """An image of the service, and the Dockerfile that it is built with."""

    name: str
    dockerfile: Path
    tag: str

    @property
    def repository(self) -> str:
        """Return the image's name without the registry."""
        return self.tag.partition("/")[2]


class Service:
    """A rendered service, and the versions of it that are measured."""

    def __init__(self, folder: Path, requirements: list[str], states: int) -> None:
        self.folder = folder
        scaffold(folder)
        version = (folder / ".python-version").read_text(encoding="utf-8").strip()
        python = find_python(version, shutil.which("uv") or "uv")
        self.env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
        self.env["UV_PYTHON"] = python or sys.exit(f"uv needs a Python {version} to lock the service with")
        # requirements.txt is for pip.
        with (folder / ".dockerignore").open("a", encoding="utf-8") as file:
            file.write("!requirements*.txt\n")
        add_metadata(folder)
        (self.app,) = folder.glob("src/*/app.py")
        self.code = self.app.read_text(encoding="utf-8")
        if requirements:
            self.code = self.code.replace("import environ\n", f"import environ\n{IMPORTS}")
            # As docs/development.md says of libraries that take long to import; only the template's image has this file.
            preload = folder / "etc/preload.py"
            listed = preload.read_text(encoding="utf-8").replace("import structlog\n", f"import structlog\n{IMPORTS}")
            preload.write_text(listed, encoding="utf-8")
        added = [requirements, *([*requirements, extra] for extra in EXTRAS[:states])]
        self.locks = {source: [self._lock(names, source) for names in added] for source in (WHEEL, FROM_SOURCE)}
        self.change_code()

    def _lock(self, requirements: list[str], uwsgi: str) -> dict[str, str]:
        quiet = {"cwd": self.folder, "env": self.env, "check": True, "stdout": subprocess.DEVNULL}
        names = ["pyproject.toml", "uv.lock", "requirements.txt"]
        before = {name: (self.folder / name).read_text(encoding="utf-8") for name in names[:2]}
        pyproject = before["pyproject.toml"].replace(WHEEL, uwsgi)
        (self.folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        subprocess.run(["uv", "lock", "--quiet"], **quiet)
        if requirements:
            subprocess.run(["uv", "add", "--quiet", "--no-sync", *requirements], **quiet)
        export = ["uv", "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes"]
        subprocess.run([*export, "--output-file", names[2]], **quiet)
        lock = {name: (self.folder / name).read_text(encoding="utf-8") for name in names}
        # `docker init` starts Gunicorn.
        lock["requirements-gunicorn.txt"] = re.sub(r"(?m)^uwsgi==.*", GUNICORN, lock["requirements.txt"])
        for name, text in before.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return lock

    def use_lock(self, number: int, uwsgi: str) -> None:
        """Use the dependencies of lock *number*, 0 has no extra one, with one of uWSGI's packages."""
        for name, text in self.locks[uwsgi][number].items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def change_code(self) -> None:
        """Change the code to something that was never built before."""
        changed = re.sub(r'("title": )".*"', rf'\1"{uuid.uuid4()}"', self.code)
        assert changed != self.code
        self.app.write_text(changed, encoding="utf-8")


def add_metadata(folder: Path) -> None:
    """Add what setuptools leaves in the sources of a project that was installed for development.

    docker-init's image runs the code without installing it, but the application looks up its version.
    """
    metadata = folder / "src/my_service.egg-info/PKG-INFO"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: my-service\nVersion: 0.1.0\n", encoding="utf-8")


def built_in_an_image(folder: Path) -> str:
    """Build the build image; return the Dockerfile of a service that uses it, made in *folder*.

    Its steps and cache mounts differ from those of the template's Dockerfile, so that the two share no work.
    """
    build(TEMPLATE / "build-image", BUILD_IMAGE)
    scaffold(folder, project_name="My Service", build_image=BUILD_IMAGE)
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    for old, new in (
        ("--mount=type=cache,id=", "--mount=type=cache,id=in-image-"),
        ("set -ex\n", "set -ex\n: in image\n"),
    ):
        if old not in dockerfile:
            sys.exit(f"the template's Dockerfile has no {old!r} any more: adapt built_in_an_image() in {__file__}")
        dockerfile = dockerfile.replace(old, new)
    return dockerfile


class Bench:
    """The measurements of one service with all contenders."""

    def __init__(self, service: Service, registry: str, rounds: int) -> None:
        self.service, self.registry, self.rounds = service, registry, rounds
        text = (service.folder / "Dockerfile").read_text(encoding="utf-8")
        in_image = service.folder / "build-image.Dockerfile"
        in_image.write_text(built_in_an_image(service.folder.parent / "in-image"), encoding="utf-8")
        dockerfiles = {"template": service.folder / "Dockerfile", "build-image": in_image}
        dockerfiles |= {name: DOCKERFILES / f"{name}.Dockerfile" for name in OTHERS}
        self.contenders = [
            Contender(name, path, f"{registry}/bench-{uuid.uuid4().hex[:8]}/{name.replace(' ', '-')}")
            for name, path in dockerfiles.items()
        ]
        self.arguments = re.findall(r"^ARG (\w+_IMAGE=.+)$", text, re.MULTILINE)
        self.base = next(arg for arg in self.arguments if arg.startswith("BASE_IMAGE=")).partition("=")[2]
        self.lock = 0
        self.results: dict[str, dict] = {contender.name: {} for contender in self.contenders}

    def record(self, contender: Contender, measure: str, value: float) -> None:
        """Add one measured value."""
        self.results[contender.name].setdefault(measure, []).append(round(value, 3))

    def in_turn(self, rounds: int) -> Iterator[tuple[int, Contender]]:
        """Yield every contender once per round; each round begins with a different one."""
        contenders = self.contenders
        for number in range(rounds):
            for place in range(len(contenders)):
                yield number, contenders[(number + place) % len(contenders)]

    def build(self, contender: Contender, *options: str, check: bool = True) -> tuple[float, str, int]:
        """Build, and return the seconds, the log and the exit status."""
        command = ["docker", "build", "--progress=plain", "--file", str(contender.dockerfile), "--tag", contender.tag]
        command += [f"--build-arg={argument}" for argument in self.arguments]
        if CERTIFICATES.is_file():
            command += [f"--secret=id=ca-certificates,src={CERTIFICATES}"]
        self.service.use_lock(self.lock, WHEEL if contender.name in OURS else FROM_SOURCE)
        os.sync()  # so that the build doesn't wait for earlier writes
        started = time.perf_counter()
        done = subprocess.run([*command, *options, "."], cwd=self.service.folder, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if check and done.returncode:
            sys.exit(f"{contender.name} does not build:\n{done.stderr[-4000:]}")
        return seconds, done.stderr, done.returncode

    def cold(self, rounds: int) -> None:
        """Build with empty caches.

        The contenders share neither steps nor cache mounts, so the caches are emptied once per round, and are warm after
        the last.
        """
        for number, contender in self.in_turn(rounds):
            if contender is self.contenders[number % len(self.contenders)]:
                prune()
            seconds, _, _ = self.build(contender)
            say(f"cold build, {contender.name}: {seconds:.1f} s")
            self.record(contender, "cold", seconds)

    def code(self, rounds: int) -> None:
        """Change the code, build and push; then measure the new layers in the registry."""
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
        """Change the code and build without a network."""
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
        """Add a dependency that is new to the contender, and build."""
        for number, contender in self.in_turn(rounds):
            self.lock = 1 + number
            seconds, _, _ = self.build(contender)
            say(f"dependency change, {contender.name}: {seconds:.2f} s")
            self.record(contender, "dependency", seconds)

    def push(self, contender: Contender) -> float:
        """Push the image, and return the seconds."""
        os.sync()
        started = time.perf_counter()
        docker("push", "--quiet", contender.tag)
        return time.perf_counter() - started

    def layers(self, contender: Contender) -> dict[str, tuple[int, int]]:
        """Return the unpacked and packed bytes of each pushed layer, by the packed layer's digest."""
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
        """Make all measurements, then remove the images."""
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
    """Return the number of rounds for slow measurements."""
    return min((rounds + 2) // 3, len(EXTRAS))


def steps(log: str) -> int:
    """Count the steps of the Dockerfile that a build reran."""
    names = dict(re.findall(r"^#(\d+) \[(?!internal)([^\]]+)\] (?!FROM )", log, re.MULTILINE))
    return sum(f"#{number} CACHED" not in log for number in names)


def first_200(image: str, *settings: str) -> float:
    """Return the seconds from `docker run`, with these options, to the first 200 of /livez."""
    port, name = free_port(), f"bench-{uuid.uuid4().hex[:8]}"
    started = time.perf_counter()
    try:
        # The engine's proxy would hold a request that is sent before this returns for a second.
        options = [f"--publish=127.0.0.1:{port}:8000", *settings]
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
        sys.exit(f"{image} did not respond within {START_TIMEOUT} s")
    finally:
        docker("rm", "--force", name)


def prune() -> None:
    """Empty the engine's build cache, cache mounts included."""
    docker("builder", "prune", "--all", "--force")
