"""Builds images, and tells what a build did and what an image holds."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support import Service, engine

# A network that intercepts TLS has certificates of its own: the template's secret takes them into the build.
CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))

# Nothing answers there, and these arguments are no part of what BuildKit compares: with them a step that has to reach
# the network fails, and a step that is cached stays so.
NO_NETWORK = [f"--build-arg={name}=http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")]


class BuildError(Exception):
    """A build failed; the text is what it wrote."""


class DockerError(Exception):
    """The engine's client failed."""


@dataclass
class Image:
    """An image, and what its build wrote."""

    name: str
    log: str

    @property
    def steps(self) -> dict[str, bool]:
        """Tell for each RUN and COPY, such as "dependencies 1/1", whether it ran (or came from the cache)."""
        numbers = dict(re.findall(r"^#(\d+) \[(.+?)\] (?:RUN|COPY)", self.log, re.MULTILINE))
        cached = set(re.findall(r"^#(\d+) CACHED", self.log, re.MULTILINE))
        return {name: number not in cached for number, name in numbers.items()}

    @property
    def layers(self) -> list[str]:
        """Give the digests of the uncompressed layers, the base image's first."""
        return self.inspect()["RootFS"]["Layers"]

    def inspect(self) -> dict:
        """Give what the engine knows of the image."""
        return json.loads(docker("image", "inspect", self.name))[0]

    def layer_sizes(self) -> list[int]:
        """Give the bytes in each layer, the base image's first; steps that made none are left out."""
        history = docker("history", "--human=false", "--no-trunc", "--format={{.Size}} {{.CreatedBy}}", self.name)
        return [int(size) for size in reversed(re.findall(r"^([1-9]\d*) ", history, re.MULTILINE))]

    def run(self, *command: str, options: tuple[str, ...] = ()) -> str:
        """Run a command in a container of the image; give its output."""
        return docker("run", "--rm", *options, self.name, *command)


def scaffold_with_bases(scaffold: Callable[..., Service], **answers: str) -> Service:
    """Make a service for a machine that can't pull the Dockerfile's frontend, and have its base images."""
    service = scaffold(dockerfile_syntax="", **answers)
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", (service.folder / "Dockerfile").read_text(), re.MULTILINE)
    engine("stand-ins", *images)
    return service


def docker(*command: str) -> str:
    """Run the engine's client; give its output.

    Raises:
        DockerError: It fails; the text is what it wrote.
    """
    # On a busy machine, an engine now and then can't start a container.
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
        BuildError: It can't be built.
    """
    secret = [f"--secret=id=ca-certificates,src={certificates}"] if certificates and certificates.is_file() else []
    command = ["docker", "buildx", "build", "--progress=plain", "--load", f"--tag={name}", *secret, *options, folder]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise BuildError(result.stdout)
    return Image(name, result.stdout)


def prove(service: Service, image: Image, tests: str = "") -> None:
    """Have a service prove all promises of its image, or some. Its tests wait more than they work: two run at once."""
    command = f"uv run --locked --with pytest-xdist==3.8.0 pytest -m container --numprocesses 2 {tests}"
    output = service.run(command, IMAGE=image.name)
    assert " passed" in output
    assert "skipped" not in output


def exists(name: str) -> bool:
    """Say whether there is an image of this name."""
    return subprocess.run(["docker", "image", "inspect", name], check=False, capture_output=True).returncode == 0
