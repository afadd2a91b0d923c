"""What a machine needs to install and run services."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pythons import find_python

ENGINE = Path(__file__).parent / "engine/engine"
MADE_HERE = "3.14"


class MissingError(Exception):
    """Something is missing that only the user can install; the message names it."""


def say(message: str) -> None:
    """Announce a step."""
    print(f"==> {message}", flush=True)


def service_python(version: str) -> str:
    """Return the path of a Python of *version*. If there is no other, tools/engine makes one.

    Raises:
        MissingError: There is none; the message tells how to install it.
    """
    uv = shutil.which("uv") or "uv"
    if not (python := find_python(version, uv)):
        say(f"downloading Python {version} (uv python install {version})")
        subprocess.run([uv, "python", "install", version], check=False)
        python = find_python(version, uv)
    if not python and version == MADE_HERE:
        made = subprocess.run([ENGINE, "python", version], check=False, stdout=subprocess.PIPE, text=True)
        python = made.stdout.strip()
    if not python:
        raise MissingError(
            f"There is no Python {version}, which the service runs on, and uv could not download it. "
            f"Install it with the system's packages or with pyenv (pyenv install {version})."
        )
    return python


def install(*packages: str, why: str) -> None:
    """Install Debian packages if apt-get is available and this process is root.

    Raises:
        MissingError: That isn't so; the message names the packages.
    """
    names = " ".join(packages)
    if os.geteuid() or not shutil.which("apt-get"):
        raise MissingError(f"Install {names}, because {why}.")
    say(f"installing {names}, because {why}")
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    subprocess.run(["apt-get", "install", "-qqy", "--no-install-recommends", *packages], **quiet)


def run(command: list[str], **options: object) -> None:
    """Print and run *command*; if it fails, exit with a message."""
    say(" ".join(command))
    status = subprocess.run(command, check=False, text=True, **options).returncode
    if status:
        sys.exit(f"{command[0]} ended with exit status {status}: see its output above")
