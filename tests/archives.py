"""The package archives of the platforms."""

import functools
import subprocess

import pytest
from machine import ENGINE
from support import missing

SUITES = {
    "debian-13": "trixie",
    "debian-12": "bookworm",
    "ubuntu-24.04": "noble",
    "ubuntu-26.04": "resolute",
    "python-3.14": "trixie",
}
NO_UBUNTU_MIRROR = 4  # exit status of tools/engine/engine


@functools.cache
def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run the engine script, only once with the same arguments."""
    return subprocess.run([ENGINE, *command], check=False, capture_output=True, text=True)


def use(*command: str) -> str:
    """Run an engine command that needs package archives; return its output.

    A test that needs Ubuntu's packages is skipped where ENGINE_UBUNTU_MIRROR names no mirror, also in CI.
    """
    result = run(*command)
    if result.returncode == NO_UBUNTU_MIRROR:
        pytest.skip(
            f"NOT CHECKED: {' '.join(command)} needs Ubuntu's packages, and ENGINE_UBUNTU_MIRROR names no mirror"
        )
    if result.returncode:
        missing(f"{' '.join(command)}: {result.stderr.strip().splitlines()[-1]}")
    return result.stdout.strip()


def lists(suite: str) -> str:
    """Return the apt configuration that has the package lists of a suite."""
    return use("lists", suite)
