"""Cutting a release: a failing step undoes all others."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support import git


@pytest.fixture
def clone(template_clone: Path, tmp_path: Path) -> Path:
    """Return a clone of the template with an unreleased change, and without tags."""
    clone = tmp_path / "clone"
    shutil.copytree(template_clone, clone)
    (clone / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n\n### Added\n\n- Wings.\n\n## 0.1.0\n\nFeet.\n")
    (clone / "releases.toml").write_text('"0.1.0" = "3b910f4"\n')
    git(clone, "commit", "--quiet", "--all", "--message=Wings")
    for tag in git(clone, "tag").split():
        git(clone, "tag", "--delete", tag)
    return clone


def release(clone: Path, version: str, check: str = "true") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/release.py", version, "--check", check],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )


def refused(clone: Path, version: str, check: str = "true") -> str:
    """Return the reason of a refusal, after checking that nothing was changed."""

    def state() -> tuple[str, ...]:
        return tuple(git(clone, *command) for command in (["show-ref"], ["status", "--porcelain"], ["stash", "list"]))

    before = state()
    result = release(clone, version, check)
    assert result.returncode == 1
    assert state() == before
    return result.stderr


def test_release_is_tagged_recorded_and_described(clone):
    result = release(clone, "0.2.0")

    assert result.returncode == 0, result.stderr
    assert "git push --atomic origin main v0.2.0" in result.stdout
    assert git(clone, "cat-file", "-t", "v0.2.0") == "tag"
    assert git(clone, "rev-parse", "v0.2.0^{}") == git(clone, "rev-parse", "HEAD~1")
    assert tomllib.loads((clone / "releases.toml").read_text()) == {
        "0.1.0": "3b910f4",
        "0.2.0": git(clone, "rev-parse", "HEAD~1"),
    }
    changelog = git(clone, "show", "v0.2.0:CHANGELOG.md")
    assert changelog.index("## Unreleased") < changelog.index("## 0.2.0 (2") < changelog.index("- Wings.")
    assert git(clone, "status", "--porcelain") == ""


def test_a_second_release_needs_something_new(clone):
    assert release(clone, "0.2.0").returncode == 0
    assert "nothing under" in refused(clone, "0.3.0")


@pytest.mark.parametrize("version", ["", "1", "v0.2.0", "0.2", "0.02.0", "0.2.0-rc1", "0.2.0\n"])
def test_a_version_is_three_numbers(clone, version):
    assert "is not a version" in refused(clone, version)


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9"])
def test_a_version_is_above_all_others(clone, version):
    assert "is not above 0.1.0" in refused(clone, version)


def test_a_tag_counts_as_a_release(clone):
    git(clone, "tag", "v0.10.0")
    assert "is not above 0.10.0" in refused(clone, "0.9.0")


def test_uncommitted_changes_prevent_a_release(clone):
    (clone / "new.txt").write_text("")
    assert "new.txt" in refused(clone, "0.2.0")


def test_only_main_is_released(clone):
    git(clone, "switch", "--quiet", "--create", "feature")
    assert 'this is "feature"' in refused(clone, "0.2.0")


def test_failing_tests_prevent_a_release(clone):
    assert "`false` failed" in refused(clone, "0.2.0", check="false")


def test_tests_run_after_the_release_is_recorded(clone):
    assert release(clone, "0.2.0", check="grep --quiet '^.0.2.0. = ' releases.toml").returncode == 0


def test_tests_that_change_the_working_tree_prevent_a_release(clone):
    assert "changed the working tree" in release(clone, "0.2.0", check="touch new.txt").stderr


def test_edits_made_meanwhile_are_kept(clone):
    assert "changed the working tree" in release(clone, "0.2.0", check="echo Edited >> README.md").stderr
    assert git(clone, "status", "--porcelain") == "M README.md"
    assert git(clone, "tag") == ""


@pytest.mark.parametrize("hook", ["pre-commit", "reference-transaction"])
def test_a_failing_step_undoes_the_others(clone, hook):
    """The commit of the change log and the tag exist when the second commit fails."""
    script = clone / ".git/hooks" / hook
    condition = {
        "pre-commit": "git tag --list v0.2.0 | grep --quiet .",
        "reference-transaction": '[ "$1" = prepared ] && grep --quiet refs/tags/v0.2.0 && ! [ -e .git/refused ] '
        "&& touch .git/refused",
    }[hook]
    script.write_text(f"#!/bin/sh\n! {{ {condition}; }}\n")
    script.chmod(0o755)

    assert "failed" in refused(clone, "0.2.0")
