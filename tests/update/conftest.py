"""Services made from every release, and newer templates to update to."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support import edit
from updating import PRESENT, Template, TrackedService


@pytest.fixture(scope="session")
def template(template_clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Return the template with a tag for each release, and one for the working tree; tests must not change it."""
    return Template.with_releases(template_clone, tmp_path_factory.mktemp("template") / "uv-docker-template")


@pytest.fixture
def newer(template: Template, tmp_path: Path) -> Template:
    """Copy the template, for a test that releases changes."""
    folder = tmp_path / "newer"
    shutil.copytree(template.folder, folder)
    return Template(folder)


@pytest.fixture(scope="session")
def original(
    template: Template, without_uv: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., TrackedService]:
    """Make a service from a release, without a lock. Equal services are made once; tests must not change them."""
    made: dict[tuple, TrackedService] = {}
    # Without uv, no network is needed.
    env = {**os.environ, "PATH": without_uv}

    def original(version: str, **answers: str) -> TrackedService:
        key = (version, *sorted(answers.items()))
        if key not in made:
            made[key] = template.make(version, tmp_path_factory.mktemp("original") / "service", env, **answers)
        return made[key]

    return original


@pytest.fixture
def make(original: Callable[..., TrackedService], tmp_path: Path) -> Callable[..., TrackedService]:
    """Copy a service of a release, for a test that changes it; optionally set a newer template."""

    def make(version: str = PRESENT, template: Template | None = None, **answers: str) -> TrackedService:
        made = original(version, **answers)
        service = TrackedService(Path(tempfile.mkdtemp(dir=tmp_path)) / "service", made.env)
        shutil.copytree(made.folder, service.folder, symlinks=True)
        if template:
            edit(service.folder / ".copier-answers.yml", (r"_src_path: [^\n]*", f"_src_path: {template.folder}"))
            service.commit("The template lies elsewhere")
        return service

    return make
