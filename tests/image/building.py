"""Helpers to build images, and to inspect builds and images."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support import Service, engine

# A network that intercepts TLS has its own certificates: the template's secret passes them to the build.
CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))

# No proxy listens there, and these arguments aren't part of BuildKit's cache keys: with them, a step that needs the
# network fails, and a cached step stays cached.
NO_NETWORK = [f"--build-arg={name}=http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")]


class BuildError(Exception):
    """A build failed; the message is its output."""


class DockerError(Exception):
    """The engine's client failed."""


@dataclass
class Image:
    """An image, and the output of its build."""

    name: str
    log: str

    @property
    def steps(self) -> dict[str, bool]:
        """Return for each RUN and COPY, such as "dependencies 1/1", whether it ran or was cached."""
        numbers = dict(re.findall(r"^#(\d+) \[(.+?)\] (?:RUN|COPY)", self.log, re.MULTILINE))
        cached = set(re.findall(r"^#(\d+) CACHED", self.log, re.MULTILINE))
        return {name: number not in cached for number, name in numbers.items()}

    @property
    def layers(self) -> list[str]:
        """Return the digests of the uncompressed layers, the base image's first."""
        return self.inspect()["RootFS"]["Layers"]

    def inspect(self) -> dict:
        """Return the engine's data about the image."""
        return json.loads(docker("image", "inspect", self.name))[0]

    def layer_sizes(self) -> list[int]:
        """Return the sizes of the layers in bytes, the base image's first, without empty layers."""
        history = docker("history", "--human=false", "--no-trunc", "--format={{.Size}} {{.CreatedBy}}", self.name)
        return [int(size) for size in reversed(re.findall(r"^([1-9]\d*) ", history, re.MULTILINE))]

    def run(self, *command: str, options: tuple[str, ...] = ()) -> str:
        """Run a command in a container of the image and return its output."""
        return docker("run", "--rm", *options, self.name, *command)


def scaffold_with_bases(scaffold: Callable[..., Service], **answers: str) -> Service:
    """Make a service without the Dockerfile's frontend, which may be unavailable, and provide its base images."""
    service = scaffold(dockerfile_syntax="", **answers)
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", (service.folder / "Dockerfile").read_text(), re.MULTILINE)
    engine("stand-ins", *images)
    return service


def docker(*command: str) -> str:
    """Run the engine's client and return its output.

    Raises:
        DockerError: It fails; the message is its output.
    """
    # On a busy machine, an engine occasionally fails to start a container: retry once.
    for _ in range(2):
        result = subprocess.run(["docker", *command], check=False, capture_output=True, text=True, timeout=600)
        if "OCI runtime create failed" not in result.stderr:
            break
    if result.returncode:
        raise DockerError(f"docker {' '.join(command)}: {result.stdout}{result.stderr}")
    return result.stdout


def build(folder: Path, name: str, *options: str, certificates: Path | None = CERTIFICATES) -> Image:
    """Build the image of the service in *folder*.

    Raises:
        BuildError: The build fails.
    """
    secret = [f"--secret=id=ca-certificates,src={certificates}"] if certificates and certificates.is_file() else []
    command = ["docker", "buildx", "build", "--progress=plain", "--load", f"--tag={name}", *secret, *options, folder]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise BuildError(result.stdout)
    return Image(name, result.stdout)


def run_container_tests(service: Service, image: Image, tests: str = "") -> None:
    """Run a service's container tests, or some of them, on an image. They mostly wait, so two run in parallel."""
    command = f"uv run --locked --with pytest-xdist==3.8.0 pytest -m container --numprocesses 2 {tests}"
    output = service.run(command, IMAGE=image.name)
    assert " passed" in output
    assert "skipped" not in output


def exists(name: str) -> bool:
    """Return whether there is an image with this name."""
    return subprocess.run(["docker", "image", "inspect", name], check=False, capture_output=True).returncode == 0
