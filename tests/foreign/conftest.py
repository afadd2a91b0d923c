"""Existing services that adopt the template."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite("adopting")

from adopting import Adoption, make  # noqa: E402
from existing import LAYOUTS, SERVICES  # noqa: E402

# Their own tests are not part of this suite.
collect_ignore = ["services"]


@pytest.fixture
def template(template_clone: Path, tmp_path: Path) -> Path:
    """Copy the template, with a release newer than all others."""
    return release(template_clone, tmp_path)


@pytest.fixture(scope="session")
def adopt(
    template_clone: Path, user_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Adoption]:
    """Adopt the template in a service, once for all tests."""
    made: dict[str, Adoption] = {}

    def adopt(name: str) -> Adoption:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            existing = (LAYOUTS | SERVICES)[name]
            service = make(folder / "orders", existing, {**user_env, "PYTEST_ADDOPTS": "--verbose"})
            adoption = Adoption(existing, service, release(template_clone, folder))
            adoption.follow()
            made[name] = adoption
        return made[name]

    return adopt


def release(clone: Path, folder: Path) -> Path:
    """Copy the template, and tag it as the newest version."""
    template = folder / "uv-docker-template"
    shutil.copytree(clone, template)
    subprocess.run(["git", "-C", template, "tag", "v1000.0.0"], check=True)
    return template
