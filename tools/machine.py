"""What a machine needs to run services and their images: a Python of their version, and a container engine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lock import find_python

ENGINE = Path(__file__).parent / "engine/engine"
MADE_HERE = ("3.13", "3.14")  # by tools/engine, from Debian's packages


class MissingError(Exception):
    """Something is missing that only the user can install; the message names it."""


def service_python(version: str) -> str:
    """Return the path of a Python of *version*. If there is none, uv downloads one, or else tools/engine makes one.

    Raises:
        MissingError: There is none; the message tells how to install it.
    """
    uv = shutil.which("uv") or "uv"
    if not (python := find_python(version, uv)):
        subprocess.run([uv, "python", "install", version], check=False)
        python = find_python(version, uv)
    if not python and version in MADE_HERE:
        made = subprocess.run([ENGINE, "python", version], check=False, stdout=subprocess.PIPE, text=True)
        python = made.stdout.strip()
    if not python:
        raise MissingError(
            f"There is no Python {version}, which the service runs on, and uv could not download it. "
            f"Install it with the system's packages or with pyenv (pyenv install {version})."
        )
    return python


@contextmanager
def container_engine() -> Iterator[None]:
    """Use the engine that is running; if there is none, start a private one, and stop it at the end.

    Raises:
        MissingError: Here, none can be started; tools/engine printed the reason.
    """
    started = False
    if not succeeds("docker", "version"):
        started = not succeeds(ENGINE, "status")
        if started and subprocess.run([ENGINE, "start"], check=False).returncode:
            raise MissingError("There is no container engine: install one, such as Docker, and start it.")
        command = ["bash", "-c", 'eval "$("$0" env)" && env -0', ENGINE]
        variables = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        os.environ.update(line.split("=", 1) for line in variables.rstrip("\0").split("\0"))
    try:
        yield
    finally:
        if started:
            subprocess.run([ENGINE, "stop"], check=False)


def has_images(*images: str, quiet: bool = False) -> bool:
    """Return whether the engine has the images, after pulling them, or making stand-ins where that is impossible."""
    if sys.platform != "linux":
        return True  # The script needs Linux. Other machines' engines pull images as they build.
    return subprocess.run([ENGINE, "stand-ins", *images], check=False, capture_output=quiet).returncode == 0


def succeeds(*command: str | Path) -> bool:
    """Return whether a command exists and succeeds."""
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
