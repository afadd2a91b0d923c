"""Releases of the template, and services made by them."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier import run_copy, run_update
from support import TEMPLATE, commit, git

RELEASES: dict[str, str] = tomllib.loads((TEMPLATE / "releases.toml").read_text(encoding="utf-8"))
# The working tree, as a release.
PRESENT = "1000.0.0"
# Each option.
ALL = {"database": "postgresql", "jobs": "procrastinate", "deploy": "kubernetes", "ci": "github"}


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


def append(line: str, pattern: str) -> Callable[[Path], None]:
    """Return a change of the template that appends a line to a file."""

    def change(folder: Path) -> None:
        (file,) = folder.glob(pattern)
        file.write_text(file.read_text(encoding="utf-8") + line, encoding="utf-8")

    return change
