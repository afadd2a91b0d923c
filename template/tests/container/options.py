# An update overwrites this file.
"""What the service's own files, example.env and tests/container.toml, say of its containers. Each may be missing."""

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import pytest
from python_on_whales import docker


def example_settings(service: Path) -> dict[str, str]:
    """Read example.env as `docker run --env-file` does: values are taken literally, quotes and $ too."""
    file = service / "example.env"
    settings = {}
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if not equals or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
                refuse("example.env", f'line {number} is "{line}": write NAME=value')
            settings[name] = value
    return settings


def run_options(service: Path) -> dict[str, Any]:
    """Read what tests/container.toml adds to docker.run."""
    name = "tests/container.toml"
    file = service / name
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        options = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        refuse(name, f"correct its TOML: {error}")
    run = options.pop("run", {})
    for unknown in options.keys() - {"memory"}:
        refuse(name, f"{unknown} is unknown: the file takes memory and the table [run]")
    for unknown in run.keys() - inspect.signature(docker.run).parameters:
        refuse(name, f"{unknown} is no option of docker.run: correct or remove it")
    return {**options, **run}


def refuse(file: str, reason: str) -> NoReturn:
    """End the test with what is wrong in a file."""
    pytest.fail(f"{file}: {reason}", pytrace=False)
