"""Services made by releases, and templates to update them to."""

import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import plumbum
import pytest
from copier import run_copy, run_update

TEMPLATE = Path(__file__).resolve().parents[2]
RELEASES: dict[str, str] = tomllib.loads((TEMPLATE / "releases.toml").read_text(encoding="utf-8"))
# Older ones are updated to this one first.
OLDEST = "0.9.0"
# What Copier reads of the template.
READ = ("copier.yml", "extensions", "stacks", "tasks", "template")
# The working tree, as a release.
PRESENT = "1000.0.0"


def git(folder: Path, *command: str | Path) -> str:
    """Run Git in a folder; return its output."""
    return subprocess.run(["git", "-C", folder, *command], check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str = "Change") -> None:
    """Commit all files in a folder."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--no-gpg-sign", "--message", message)


@dataclass
class Service:
    """A service in a Git repository."""

    folder: Path

    def update(self, version: str = PRESENT, **options: Any) -> None:
        """Update to a version of the template, without questions."""
        options = {"defaults": True, "overwrite": True, "quiet": True, "unsafe": True, **options}
        run_update(self.folder, vcs_ref=f"v{version}", **options)

    def text(self, file: str) -> str:
        """Return a file's text."""
        return (self.folder / file).read_text(encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the first occurrence of a text, which must exist; an empty one is the file's end."""
        text = self.text(file)
        assert old in text, f"{file}: no {old!r}"
        (self.folder / file).write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")

    def write(self, file: str, content: str | bytes) -> None:
        """Write a file."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self) -> None:
        """Commit all changes."""
        commit(self.folder)

    def files(self) -> dict[str, tuple[bool, bytes]]:
        """Return the mode (executable or not) and the content of each file."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and ".git" not in path.parts]
        return {
            path.relative_to(self.folder).as_posix(): (bool(path.stat().st_mode & 0o100), path.read_bytes())
            for path in paths
        }

    def conflicts(self) -> list[str]:
        """Return the files that Git knows as unmerged, as the documented command does."""
        return git(self.folder, "diff", "--name-only", "--relative", "--diff-filter=U").splitlines()


@dataclass
class Template:
    """A clone of the template with a tag for each release, and one for the working tree."""

    folder: Path
    numbers: Iterator[int]

    def release(self, change: Callable[[Path], object]) -> str:
        """Release a change of the working tree; return the version."""
        git(self.folder, "checkout", "--quiet", "--detach", f"v{PRESENT}")
        change(self.folder)
        commit(self.folder)
        version = f"{next(self.numbers)}.0.0"
        git(self.folder, "tag", f"v{version}")
        return version

    def copy(self, folder: Path, version: str = PRESENT, **options: Any) -> Service:
        """Make a service from a release."""
        options = {"defaults": True, "quiet": True, "unsafe": True, "skip_tasks": True, **options}
        run_copy(str(self.folder), folder, vcs_ref=f"v{version}", **options)
        return Service(folder)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Make a repository of what Copier reads, because it clones it five times for an update."""
    folder = tmp_path_factory.mktemp("template") / "uv-docker-template"
    git(TEMPLATE, "init", "--quiet", folder)
    for version, commit_hash in list(RELEASES.items())[list(RELEASES).index(OLDEST) :]:
        git(folder, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
        archive = folder.with_name("archive.tar")
        git(TEMPLATE, "archive", f"--output={archive}", commit_hash, *READ)
        shutil.unpack_archive(archive, folder)
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
            git(made[key].folder, "init", "--quiet")
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
