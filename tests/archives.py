"""The package archives of the platforms."""

import functools
import subprocess

import pytest
from support import TEMPLATE, missing

SUITES = {
    "debian-13": "trixie",
    "debian-12": "bookworm",
    "ubuntu-24.04": "noble",
    "ubuntu-26.04": "resolute",
    "python-3.14": "trixie",
}
DOES_NOT_ANSWER = 3  # tools/engine's exit status


@functools.cache
def fetch(suite: str) -> subprocess.CompletedProcess[str]:
    """Fetch the package lists of a suite, or try to, once."""
    command = [TEMPLATE / "tools/engine", "lists", suite]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def lists(suite: str) -> str:
    """Give the apt configuration that has the package lists of a suite; where these can't be had, skip or fail."""
    result = fetch(suite)
    if result.returncode == DOES_NOT_ANSWER and suite in {"noble", "resolute"}:
        # Not everybody who works on the template reaches it, CI included.
        pytest.skip(f"NOT CHECKED: Ubuntu's package archive does not answer, so nobody knows what {suite} has")
    if result.returncode:
        missing(f"no package lists of {suite}: {result.stderr.strip().splitlines()[-1]}")
    return result.stdout.strip()
