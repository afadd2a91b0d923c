"""A release of this repository: `make release`."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support import TEMPLATE, commit, git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository with a change to release."""
    git(TEMPLATE, "init", "--quiet", "--initial-branch=main", tmp_path)
    for name in ("tools/release.py", "releases.toml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(TEMPLATE / name, tmp_path / name)
    log = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(log.replace("## Unreleased\n", "## Unreleased\n\n- A change.\n"))
    commit(tmp_path)
    return tmp_path


def release(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Cut a release."""
    command = [sys.executable, "tools/release.py", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_release_is_tagged_and_recorded(repository: Path) -> None:
    result = release(repository, "1000.0.0", "--check=true")

    assert result.returncode == 0, result.stderr
    recorded = tomllib.loads((repository / "releases.toml").read_text(encoding="utf-8"))
    assert recorded["1000.0.0"] == git(repository, "rev-parse", "v1000.0.0^{commit}").strip()
    log = git(repository, "show", "v1000.0.0:CHANGELOG.md")
    assert "\n## Unreleased\n\n## 1000.0.0 (" in log
    assert git(repository, "status", "--short") == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["1000.0.0", "--check=false"], "`false` failed"),
        (["1000.0.0", "--check=touch more"], "changed the working tree"),
        (["1000.0.0"], "run `make test-all` first"),
        (["1.0.0", "--check=true"], "1.0.0 is not above "),
        (["1000.0", "--check=true"], '"1000.0" is not a version'),
    ],
    ids=["failed", "changed", "untested", "released", "misspelt"],
)
def test_refused_release_changes_nothing(arguments: list[str], reason: str, repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")

    result = release(repository, *arguments)

    assert result.returncode == 1
    assert reason in result.stderr
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "tag", "--list") == ""
    assert git(repository, "status", "--short", "--untracked-files=no") == ""
