"""A template with releases, and services that are updated with the README's commands."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

import jinja2
from choices import make_stack
from history import RELEASES
from support import README, Service, commit, git

(CHECK,) = re.findall(r"^\$ (git diff .*)$", README, re.MULTILINE)
(PUT_ASIDE,) = re.findall(r"^\$ (git reset .*)$", README, re.MULTILINE)
(UPDATE,) = re.findall(r"^\$ uvx .* (copier update .*)$", README, re.MULTILINE)
PRESENT = "1000.0.0"


class TrackedService(Service):
    """A service in a git repository."""

    def attempt(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command line in the service; it may fail."""
        return subprocess.run(
            command, shell=True, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )

    def update(self, *options: str, version: str = PRESENT) -> str:
        """Update to a version; return the messages."""
        update = self.attempt(self.update_command(*options, version=version))
        assert update.returncode == 0, update.stderr
        return update.stderr

    def update_command(self, *options: str, version: str = PRESENT) -> str:
        """Return the README's command, with the tests' Copier and without questions."""
        return f"{sys.executable} -m {UPDATE} {shlex.join(['--defaults', f'--vcs-ref=v{version}', *options])}"

    def conflicts(self) -> list[str]:
        """Return the files that the documented check lists; it has to fail if there are any."""
        check = self.attempt(CHECK)
        assert check.returncode == bool(check.stdout)
        return check.stdout.splitlines()

    def commit(self, message: str = "Edit") -> None:
        """Commit all files."""
        commit(self.folder, message)

    def files(self) -> dict[str, tuple[bool, bytes]]:
        """Return the mode (executable or not) and the content of all files that git would commit."""
        paths = git(self.folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        return {
            name: (bool(path.stat().st_mode & 0o100), path.read_bytes())
            for name in paths
            if name and (path := self.folder / name).is_file()
        }

    def text(self, file: str) -> str:
        """Return the text of a file."""
        return (self.folder / file).read_text(encoding="utf-8")


@dataclass
class Template:
    """A clone of the template with a tag for each release."""

    folder: Path

    @classmethod
    def with_releases(cls, clone: Path, folder: Path) -> Self:
        """Copy a clone, and tag each release in it, with its current state as the newest."""
        shutil.copytree(clone, folder)
        for tag in git(folder, "tag").split():
            git(folder, "tag", "--delete", tag)
        for release, commit_hash in RELEASES.items():
            git(folder, "tag", f"v{release}", commit_hash)
        git(folder, "tag", f"v{PRESENT}")
        return cls(folder)

    def make(self, version: str, folder: Path, env: Mapping[str, str], **answers: str) -> TrackedService:
        """Make a service from a release, without a lock."""
        data = [f"--data={name}={answer}" for name, answer in answers.items()]
        command = [sys.executable, "-m", "copier", "copy", "--quiet", "--trust", "--defaults", "--skip-tasks"]
        subprocess.run([*command, f"--vcs-ref=v{version}", *data, self.folder, folder], env=env, check=True)
        git(folder, "init", "--quiet")
        commit(folder, "Start from the template")
        return TrackedService(folder, env)

    def source(self, file: str) -> Path:
        """Return the template's file from which a file of the default service is rendered."""
        for choice in make_stack("debian-13", "flask", "uwsgi", "my_service")["files"]:
            if choice["path"] == file:
                return self.folder / choice["source"]
        answers = {
            "_copier_conf": {"answers_file": ".copier-answers.yml"},
            "ci": "none",
            "license": "Proprietary",
            "package_name": "my_service",
        }
        folder = self.folder / "template"
        rendered = {
            jinja2.Template(path.relative_to(folder).as_posix().removesuffix(".jinja")).render(answers): path
            for path in folder.rglob("*")
            if path.is_file() and "{% yield" not in path.name
        }
        return rendered[file]

    def show(self, version: str, file: str) -> str:
        """Return the text of a template's file in a release."""
        return git(self.folder, "show", f"v{version}:{file}")

    def release(self, version: str) -> None:
        """Commit and tag all changes as a release."""
        commit(self.folder, f"Release {version}")
        git(self.folder, "tag", f"v{version}")


def owners(service: TrackedService) -> dict[str, str]:
    """Return the owner of each file of an unedited service by its documents: "yours", "the template's" or "shared"."""
    rows = re.findall(r"^\| (yours|the template's|shared) \| (.*?) \|", service.text("docs/updating.md"), re.MULTILINE)
    patterns = {owner: re.findall("`(.*?)`", files) for owner, files in rows}
    patterns["shared"].append("*")
    return {
        file: next(owner for owner, globs in patterns.items() if any(fnmatchcase(file, glob) for glob in globs))
        for file in service.files()
    }
