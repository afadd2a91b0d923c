"""A service as a user gets it, installed."""

import shutil
from collections.abc import Callable

import pytest
from machine import MissingError, install
from support import Service, missing


@pytest.fixture(scope="session")
def direnv() -> str:
    """Give the path of direnv."""
    if not shutil.which("direnv"):
        try:
            install("direnv", why="the tests run .envrc")
        except MissingError as error:
            missing(str(error))
    return shutil.which("direnv")


@pytest.fixture(scope="session")
def service(scaffold: Callable[..., Service]) -> Service:
    """Make and install the default service; tests must leave it as it is."""
    service = scaffold()
    service.run("uv sync --locked")
    return service
