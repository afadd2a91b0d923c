"""Helpers for all tests: the template's folder, its questions, services, Git."""

import fcntl
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

TEMPLATE = Path(__file__).resolve().parent.parent
ENGINE = TEMPLATE / "tools/engine/engine"
README = (TEMPLATE / "README.md").read_text(encoding="utf-8")
QUESTIONS = {
    name for name in yaml.safe_load((TEMPLATE / "copier.yml").read_text(encoding="utf-8")) if not name.startswith("_")
}
# What a service reaches the package index with. On a network that intercepts TLS these are not Debian's own.
CERTIFICATES = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
DEFAULT_SERVERS = {"flask": "uwsgi", "django": "uwsgi", "fastapi": "granian"}
STACKS = [
    *((framework, server) for framework in ("flask", "django") for server in ("uwsgi", "gunicorn", "granian")),
    *(("fastapi", server) for server in ("granian", "uvicorn")),
]
# Each server once, and each framework on its default server.
FEW_STACKS = [
    ("flask", "uwsgi"),
    ("flask", "granian"),
    ("django", "gunicorn"),
    ("fastapi", "granian"),
    ("fastapi", "uvicorn"),
]


def stacks(few: list[tuple[str, str]] = FEW_STACKS) -> list[object]:
    """Return a parameter for each framework and server; those beyond *few* are slow."""
    return [
        pytest.param(stack, id="-".join(stack), marks=[] if stack in few else [pytest.mark.slow]) for stack in STACKS
    ]


@dataclass
class Service:
    """A service's folder, and the environment that its commands run in."""

    folder: Path
    env: Mapping[str, str]

    def run(self, command: str, **env: str) -> str:
        """Run a command line and return its output; if it fails, the test does, and shows the output."""
        result = subprocess.run(
            shlex.split(command),
            cwd=self.folder,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}"
        return result.stdout


def git(folder: Path, *arguments: str | Path) -> str:
    """Run git in a folder and return its output."""
    result = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True)
    return result.stdout.strip()


def commit(folder: Path, message: str = "Change") -> None:
    """Commit all files in a folder, which becomes a repository if it isn't one."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def edit(file: Path, *replacements: tuple[str, str]) -> None:
    """Replace patterns in a file; a pattern without a match is an error."""
    text = file.read_text(encoding="utf-8")
    for pattern, replacement in replacements:
        text, count = re.subn(pattern, replacement, text, flags=re.DOTALL)
        assert count, f"{file}: no {pattern}"
    file.write_text(text, encoding="utf-8")


def missing(reason: str) -> None:
    """Skip a test because something is missing; in CI, where nothing may be skipped, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one worker at a time run the block."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
