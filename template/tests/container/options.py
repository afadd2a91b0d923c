# An update overwrites this file.
"""Options for containers, from tests/container.toml, which may be missing."""

import inspect
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import pytest
from python_on_whales import docker


def run_options(service: Path) -> dict[str, Any]:
    """Return the options for docker.run in tests/container.toml."""
    options = container_options(service)
    run = options.pop("run", {})
    options.pop("ready", None)
    return {**options, **run}


def is_ready(service: Path) -> bool:
    """Return whether tests/container.toml expects /readyz to pass."""
    return bool(container_options(service).get("ready", True))


def container_options(service: Path) -> dict[str, Any]:
    """Read and check tests/container.toml."""
    name = "tests/container.toml"
    file = service / name
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        options = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        refuse(name, f"correct its TOML: {error}")
    for unknown in options.keys() - {"memory", "ready", "run"}:
        known = "memory, ready and the table [run]"
        refuse(name, f"{unknown} is unknown: the file takes {known}")
    if not isinstance(ready := options.get("ready", True), bool):
        refuse(name, f'ready is "{ready}": give it true or false')
    run = options.get("run", {})
    for unknown in run.keys() - inspect.signature(docker.run).parameters:
        refuse(name, f"{unknown} is no option of docker.run: correct or remove it")
    return options


def refuse(file: str, reason: str) -> NoReturn:
    """Fail the test with the error in a file."""
    pytest.fail(f"{file}: {reason}", pytrace=False)
