"""An engine, and the image of the default service, which is built once for all tests that don't change it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from building import Image, build, scaffold_with_bases
from support import Service


@pytest.fixture(scope="session", autouse=True)
def there_is_an_engine(use_engine: None) -> None:
    """Use an engine for all tests of this folder."""


@pytest.fixture(scope="session")
def service(scaffold: Callable[..., Service], use_engine: None) -> Service:
    """Make the default service without the Dockerfile's frontend, and provide its base images."""
    return scaffold_with_bases(scaffold)


@pytest.fixture(scope="session")
def image(service: Service) -> Image:
    """Build the default service's image."""
    return build(service.folder, "my-service")


@pytest.fixture
def copy(service: Service, image: Image, tmp_path: Path) -> Service:
    """Copy the service, for a test that changes it. Unchanged build steps are in the engine's cache."""
    folder = tmp_path / "service"
    subprocess.run(["cp", "-a", service.folder, folder], check=True)
    return Service(folder, service.env)
