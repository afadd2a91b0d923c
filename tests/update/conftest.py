"""Services that releases of the template made, without locks."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import plumbum
import pytest
from support import TEMPLATE, commit, git
from updating import PRESENT, RELEASES, Service, Template

# What Copier reads of the template.
READ = ("copier.yml", "extensions", "stacks", "tasks", "template")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Make a repository of what Copier reads, because it clones it five times for an update."""
    folder = tmp_path_factory.mktemp("template") / "uv-docker-template"
    git(TEMPLATE, "init", "--quiet", folder)
    for version, commit_hash in RELEASES.items():
        git(folder, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
        archive = folder.with_name("archive.tar")
        git(TEMPLATE, "archive", f"--output={archive}", commit_hash, *READ)
        subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={folder}"], check=True)
        commit(folder)
        git(folder, "tag", f"v{version}")
    git(folder, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
    shutil.copy(TEMPLATE / "copier.yml", folder)
    for name in READ[1:]:
        shutil.copytree(TEMPLATE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    commit(folder)
    git(folder, "tag", f"v{PRESENT}")
    return Template(folder, count(1001))


@pytest.fixture(autouse=True)
def no_lock(without_uv: str) -> Iterator[None]:
    """Leave out the lock, which needs a package index."""
    with plumbum.local.env(PATH=without_uv):
        yield


@pytest.fixture(scope="session")
def originals(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Service]:
    """Make services that tests don't change, each once."""
    made: dict[tuple[str, ...], Service] = {}

    def original(version: str = PRESENT, **answers: str) -> Service:
        key = (version, *map(str, answers.items()))
        if key not in made:
            made[key] = template.copy(tmp_path_factory.mktemp("original") / "service", version, data=answers)
            made[key].commit()
        return made[key]

    return original


@pytest.fixture
def make(originals: Callable[..., Service], tmp_path: Path) -> Callable[..., Service]:
    """Make a service that a test may change."""

    def make(version: str = PRESENT, folder: Path = tmp_path / "service", **answers: str) -> Service:
        shutil.copytree(originals(version, **answers).folder, folder, symlinks=True)
        return Service(folder)

    return make
