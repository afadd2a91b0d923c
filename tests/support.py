"""Helpers for tests: the template's folder, its questions, and a service to run commands in."""

import functools
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from machine import ENGINE

TEMPLATE = Path(__file__).resolve().parent.parent
README = (TEMPLATE / "README.md").read_text(encoding="utf-8")
QUESTIONS = {
    name for name in yaml.safe_load((TEMPLATE / "copier.yml").read_text(encoding="utf-8")) if not name.startswith("_")
}

Render = Callable[..., Path]


@dataclass
class Service:
    """A service's folder and the environment that its commands run in."""

    folder: Path
    env: Mapping[str, str]

    def run(self, command: str, **env: str) -> str:
        """Run a command line in the service and return its output, which the failure shows if there is one."""
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
    """Commit all files in a folder."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def readme_command(template: Path) -> list[str]:
    """Return the README's `copier copy` command, for a template at another path."""
    (line,) = re.findall(r"^\$ (uvx .* copier copy .*)$", README, re.MULTILINE)
    return [part.replace("gh:org/uv-docker-template", str(template)) for part in shlex.split(line)]


def engine(*command: str) -> str:
    """Run the engine script; return its output."""
    return subprocess.run([ENGINE, *command], check=True, stdout=subprocess.PIPE, text=True).stdout


def exec_enters_containers(image: str) -> bool:
    """Return whether `docker exec` runs commands inside a container.

    With an engine that runs in a chroot, they and health checks run in the machine's root, so results of tests would be
    wrong.
    """
    docker = functools.partial(subprocess.run, check=False, capture_output=True, text=True)
    start = ["docker", "run", "--detach", "--hostname=inside", image, "sleep", "infinity"]
    container = subprocess.run(start, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    # The engine writes this file for each container.
    seen = docker(["docker", "exec", container, "cat", "/etc/hostname"]).stdout
    docker(["docker", "rm", "--force", container])
    return seen.strip() == "inside"


def missing(reason: str) -> None:
    """Skip a test because something is missing; in CI, where nothing may be skipped, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def edit(file: Path, *replacements: tuple[str, str]) -> None:
    """Replace patterns in a file; a pattern without a match is an error."""
    text = file.read_text(encoding="utf-8")
    for pattern, replacement in replacements:
        text, count = re.subn(pattern, replacement, text, flags=re.DOTALL)
        assert count, f"{file}: no {pattern}"
    file.write_text(text, encoding="utf-8")


def make_unpackaged(folder: Path) -> None:
    """Follow the section "If it should not be a package" of a service's docs/development.md."""
    edit(
        folder / "pyproject.toml",
        (r"\[build-system\].*?\n\n", ""),
        (r"\[tool.uv.build-backend\].*?\n\n", ""),
        (r"readme = .*?\n", ""),
        (r"\[tool.pytest.ini_options\]\n", '[tool.pytest.ini_options]\npythonpath = ["src"]\n'),
        (r"\[tool.mypy\]\n", '[tool.mypy]\nmypy_path = "src"\n'),
    )
    edit(folder / "etc/uwsgi.ini", (r"\nmodule = ", "\npythonpath = src\nmodule = "))
    for file in ("src/my_service/app.py", "tests/test_app.py"):
        edit(folder / file, (r"\bversion\(.*?\)", '"1"'), (r"from importlib.metadata import version\n\n", ""))
    edit(
        folder / "Dockerfile",
        (r"# Build and install the application, and.*?\nEOT\n", "COPY src /src\nENV PYTHONPATH=/src\n"),
    )
