"""An engine, and the image of the default service, built once and shared by all tests that only look at it."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import Image, build
from support import TEMPLATE, Service, missing

ENGINE = str(TEMPLATE / "tools" / "engine")


def engine(*command: str) -> str:
    """Run tools/engine; give what it prints."""
    return subprocess.run([ENGINE, *command], check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="session", autouse=True)
def use_engine() -> Iterator[None]:
    """Use the engine that answers, else start a private one and stop it at the end."""
    answered = subprocess.run([ENGINE, "status"], check=False, capture_output=True).returncode == 0
    if not answered and subprocess.run([ENGINE, "start"], check=False).returncode:
        missing("no container engine answers, and tools/engine can't start one here: it needs root on Debian")
    environment = subprocess.run(
        ["bash", "-c", 'eval "$("$0" env)" && env -0', ENGINE], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    os.environ.update(line.split("=", 1) for line in environment.rstrip("\0").split("\0"))
    yield
    if not answered:
        engine("stop")


@pytest.fixture(scope="session")
def service(scaffold: Callable[..., Service], use_engine: None) -> Service:
    """Make the default service, for a machine that can't pull the Dockerfile's frontend; with all base images."""
    service = scaffold(dockerfile_syntax="")
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", (service.folder / "Dockerfile").read_text(), re.MULTILINE)
    engine("stand-ins", *images)
    return Service(service.folder, {**service.env, **os.environ, "UV_PYTHON": service.env["UV_PYTHON"]})


@pytest.fixture(scope="session")
def image(service: Service) -> Image:
    """Build the default service's image."""
    return build(service.folder, "my-service")


@pytest.fixture
def copy(service: Service, image: Image, tmp_path: Path) -> Service:
    """Copy the service, for a test that changes it; what the change leaves alone is in the engine's cache."""
    folder = tmp_path / "service"
    subprocess.run(["cp", "-a", service.folder, folder], check=True)
    return Service(folder, service.env)
