"""An installed service."""

import shutil
from collections.abc import Callable

import pytest
from machine import MissingError, install
from support import Service, missing


@pytest.fixture(scope="session")
def direnv() -> str:
    """Return the path of direnv, which is installed if possible."""
    if not shutil.which("direnv"):
        try:
            install("direnv", why="the tests run .envrc")
        except MissingError as error:
            missing(str(error))
    return shutil.which("direnv")


@pytest.fixture(scope="session")
def service(scaffold: Callable[..., Service]) -> Service:
    """Make and install the default service; tests must not change it."""
    service = scaffold()
    service.run("uv sync --locked")
    return service
