"""The report on many services matches real updates, and changes no service."""

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import plumbum
import pytest
from copier import run_copy, run_update
from previews import processes
from previews.errors import PreviewError
from previews.template import same_template
from previews.updates import conflicts
from support import TEMPLATE, commit, edit, git

FLEET = (TEMPLATE / "docs/how-to/fleet.md").read_text(encoding="utf-8")
TABLE, JSON = re.findall(r"^\$ (uv run .*)$", FLEET, re.MULTILINE)
OLD, NEW = "v1000.0.0", "v1000.1.0"


def report(command: str, template: Path, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of docs/how-to/fleet.md with other folders."""
    words = command.replace("gh:org/uv-docker-template", str(template)).split()
    assert words.pop() == "../services"
    return subprocess.run(
        [*words, *folders],
        cwd=TEMPLATE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def reports(result: subprocess.CompletedProcess[str]) -> dict[str, dict]:
    """Return the JSON report on each service, by the name of its folder."""
    return {Path(service["folder"]).name: service for service in json.loads(result.stdout)["services"]}


def fingerprint(folder: Path) -> dict[str, tuple]:
    """Return times, modes and contents of all files in a folder, including Git's own."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture(scope="module")
def template(template_clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the template with two releases, a later pre-release, and an earlier release that can't be copied."""
    template = tmp_path_factory.mktemp("fleet") / "uv-docker-template"
    shutil.copytree(template_clone, template)
    questions = (template / "copier.yml").read_text(encoding="utf-8")
    (template / "copier.yml").write_text("_min_copier_version: '999'\n")
    commit(template)
    git(template, "tag", "v999.0.0")
    (template / "copier.yml").write_text(questions)
    (template / "template/etc/limits.ini").write_text("".join(f"limit-{number} = 1\n" for number in range(20)))
    (template / "template/etc/old.ini").touch()
    commit(template)
    git(template, "tag", OLD)
    edit(template / "template/etc/limits.ini", ("limit-9 = 1", "limit-9 = 2"))
    (template / "template/etc/new.ini").touch()
    (template / "template/etc/old.ini").unlink()
    commit(template)
    git(template, "tag", NEW)
    commit(template)
    git(template, "tag", "v1001.0.0rc1")
    git(template, "tag", "nightly")
    return template


@pytest.fixture(scope="module")
def make(template: Path) -> Callable[..., Path]:
    """Make a service from a release, and commit it."""

    def make(folder: Path, version: str = OLD) -> Path:
        answers = {"project_name": f"Service {folder.name}"}
        run_copy(
            str(template),
            folder,
            data=answers,
            vcs_ref=version,
            defaults=True,
            quiet=True,
            unsafe=True,
            skip_tasks=True,
        )
        git(folder, "init", "--quiet")
        commit(folder)
        return folder

    return make


def conflict(service: Path) -> None:
    """Change the line that the newer release changes."""
    edit(service / "etc/limits.ini", ("limit-9 = 1", "limit-9 = 3"))
    commit(service)


@pytest.mark.slow
def test_report_matches_real_updates(template, make, without_uv, tmp_path):
    services = tmp_path / "services"
    for name, version, count in (("old", OLD, 10), ("new", NEW, 2)):
        made = make(tmp_path / name, version)
        for number in range(count):
            shutil.copytree(made, services / f"{name}-{number:02}")
    clashing = {f"old-{number:02}" for number in range(0, 10, 5)}
    for name in clashing:
        conflict(services / name)
    # Both sides changed this file, but not the same lines.
    edit(services / "old-01/etc/limits.ini", ("limit-19 = 1", "limit-19 = 3"))
    commit(services / "old-01")
    before = fingerprint(services)

    result = report(JSON, template, services)

    assert fingerprint(services) == before
    assert result.returncode == 1, result.stderr
    assert json.loads(result.stdout)["newest"] == NEW
    found = reports(result)
    assert {name for name in found if found[name]["status"] == "conflicts"} == clashing
    assert {name for name in found if found[name]["status"] == "current"} == {f"new-{number:02}" for number in range(2)}
    assert sum(report["status"] == "behind" for report in found.values()) == 10 - len(clashing)
    for name in ("old-00", "old-01", "old-09"):
        with plumbum.local.env(PATH=without_uv):
            run_update(services / name, defaults=True, overwrite=True, quiet=True, skip_tasks=True, unsafe=True)
        service, really = services / name, found[name]
        assert set(really["conflicts"]) == set(git(service, "diff", "--name-only", "--diff-filter=U").split())
        changes = really["changes"]
        assert set(changes["added"]) == set(git(service, "ls-files", "--others", "--exclude-standard").split())
        assert set(changes["removed"]) == set(git(service, "diff", "--name-only", "--diff-filter=D").split())
        assert set(changes["changed"]) == set(git(service, "diff", "--name-only", "--diff-filter=d").split())
        assert changes == {
            "added": ["etc/new.ini"],
            "changed": [".copier-answers.yml", "etc/limits.ini"],
            "removed": ["etc/old.ini"],
        }


@pytest.mark.slow
def test_a_broken_service_does_not_affect_reports_on_others(template, make, tmp_path):
    services = tmp_path / "services"
    good = make(services / "good")

    def change(name: str, pattern: str, replacement: str) -> None:
        shutil.copytree(good, services / name)
        edit(services / name / ".copier-answers.yml", (pattern, replacement))
        commit(services / name)

    change("unknown-version", r"_commit: \S+", "_commit: v999.9.9")
    change("no-version", r"_commit: \S+\n", "")
    change("hostile-version", r"_commit: \S+", "_commit: --upload-pack=touch")
    change("broken-version", r"_commit: \S+", "_commit: v999.0.0")
    change("broken-answers", r"_commit: \S+", "_commit: [")
    change("no-answers", r".*", "- 1\n")
    change("no-date", r"_commit: \S+", "_commit: 2026-99-99")
    change("elsewhere", r"_src_path: \S+", "_src_path: gh:somebody/else")
    shutil.copytree(good, services / "no-git", ignore=shutil.ignore_patterns(".git"))
    git(shutil.copytree(services / "no-git", services / "no-commit"), "init", "--quiet")
    git(shutil.copytree(services / "no-git", services / "not-committed"), "init", "--quiet")
    git(services / "not-committed", "commit", "--quiet", "--allow-empty", "--message=Nothing")
    # Updated, and not committed yet.
    edit(shutil.copytree(good, services / "dirty") / ".copier-answers.yml", (OLD, NEW))
    # Another URL of the template; it isn't accessed.
    change("other-address", r"_src_path: ", "_src_path: nowhere://")
    shutil.copytree(good, services / ".trash/thrown-away")
    shutil.copytree(good, services / "node_modules/example")
    git(shutil.copytree(good, services / "detached"), "checkout", "--quiet", "--detach")
    git(good, "worktree", "add", "--quiet", services / "worktree")
    commit(make(services / "ahead", "HEAD"))
    (services / "mono/services").mkdir(parents=True)
    git(services / "mono", "init", "--quiet")
    shutil.copytree(services / "no-git", services / "mono/services/inside")
    commit(services / "mono")
    (services / "no-service").mkdir()
    before = fingerprint(services)

    result = report(JSON, template, services)

    assert fingerprint(services) == before
    assert result.returncode == 2, result.stderr
    found = reports(result)
    for name, reason in {
        "unknown-version": f"version v999.9.9 is unknown to {template}",
        "no-version": ".copier-answers.yml names no version (_commit)",
        "hostile-version": f"version --upload-pack=touch is unknown to {template}",
        "broken-version": "the update fails: This template requires Copier version >= 999",
        "broken-answers": ".copier-answers.yml can't be read: ",
        "no-answers": ".copier-answers.yml can't be read: it holds no answers",
        "no-date": ".copier-answers.yml can't be read: month must be in 1..12",
        "no-git": "it is in no git repository",
        "no-commit": "it has no commit",
        "not-committed": ".copier-answers.yml can't be read: ",
    }.items():
        report_ = found.pop(name)
        assert report_["status"] == "failed", name
        assert report_["reason"].startswith(reason), name
        assert "\n" not in report_["reason"]
    assert found.pop("ahead")["status"] == "ahead"
    assert found.keys() == {"good", "dirty", "detached", "worktree", "inside", "other-address"}
    assert {report["status"] for report in found.values()} == {"behind"}
    assert len({json.dumps(report["changes"]) for report in found.values()}) == 1
    assert {name for name in found if found[name]["uncommitted"]} == {"dirty"}


def test_table_matches_the_json(template, make, tmp_path):
    conflict(make(tmp_path / "clash"))
    make(tmp_path / "current", NEW)
    (make(tmp_path / "dirty") / "notes.txt").touch()
    (tmp_path / "nothing").mkdir()

    result = report(TABLE, template, *sorted(tmp_path.iterdir()))

    assert result.returncode == 1, result.stderr
    assert result.stdout.split()[:7] in [line.split() for line in FLEET.splitlines()]
    rows = [re.split(r"  +", line) for line in result.stdout.splitlines()[1:-2]]
    assert [[Path(row[0]).name, *row[1:]] for row in rows] == [
        ["clash", OLD, "conflicts", "1", "2", "1", "etc/limits.ini"],
        ["current", NEW, "current"],
        ["dirty", OLD, "behind", "1", "2", "1", "uncommitted changes left out"],
        ["nothing", "?", "other", f"not from {template}"],
    ]
    notes = result.stdout.splitlines()[0].index("NOTES")
    assert result.stdout.splitlines()[1].index("etc/limits.ini") == notes
    assert result.stdout.splitlines()[-1] == f"newest: {NEW}; services: 1 behind, 1 conflicts, 1 current, 1 other"


def test_all_current_is_success(template, make, tmp_path):
    result = report(TABLE, template, make(tmp_path / "current", NEW))
    assert result.returncode == 0, result.stderr


def test_without_a_release_the_last_commit_is_the_newest(template, make, tmp_path):
    make(tmp_path / "service")
    unreleased = tmp_path / "uv-docker-template"
    shutil.copytree(template, unreleased)
    edit(tmp_path / "service/.copier-answers.yml", (re.escape(str(template)), str(unreleased)))
    edit(tmp_path / "service/.copier-answers.yml", (OLD, git(template, "rev-parse", OLD)))
    commit(tmp_path / "service")
    git(unreleased, "tag", "--delete", *git(unreleased, "tag").split())

    found = reports(report(JSON, unreleased, tmp_path / "service"))["service"]

    assert (found["status"], found["newest"]) == ("behind", git(unreleased, "rev-parse", "--short", "HEAD"))


def test_without_the_template_there_is_no_report(make, tmp_path):
    make(tmp_path / "service")
    result = report(TABLE, tmp_path / "gone.git", tmp_path / "service")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"preview: can't fetch {tmp_path}/gone.git: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_without_services_is_an_error(template, tmp_path):
    result = report(TABLE, template, tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"preview: no service of {template} lies in {tmp_path}\n"


def test_a_template_is_recognized_by_each_form_of_its_url():
    for url in (
        "gh:org/uv-docker-template",
        "gh:org/uv-docker-template.git",
        "https://github.com/org/uv-docker-template",
        "https://token@GitHub.com/org/uv-docker-template.git/",
        "git+https://github.com/org/uv-docker-template",
        "git@github.com:org/uv-docker-template.git",
        "ssh://git@github.com:22/org/uv-docker-template",
    ):
        assert same_template(url, "gh:org/uv-docker-template"), url
    for url in (
        "gh:other/uv-docker-template",
        "gl:org/uv-docker-template",
        "/org/uv-docker-template",
        "",
        None,
        1,
        "~nobody-here/x",
        "http://[",
        "x" * 5000,
    ):
        assert not same_template(url, "gh:org/uv-docker-template"), url


def test_each_form_of_a_conflict_is_found(tmp_path):
    git(tmp_path, "init", "--quiet")
    for name in ("rejected", "marked", "settled", "unmerged"):
        (tmp_path / name).write_text("=======\n")
    (tmp_path / "old.rej").touch()
    commit(tmp_path)
    blob = git(tmp_path, "rev-parse", "HEAD:unmerged")
    stages = "".join(f"100644 {blob} {stage}\tunmerged\n" for stage in (1, 2, 3))
    git(tmp_path, "rm", "--quiet", "--cached", "unmerged")
    subprocess.run(["git", "-C", tmp_path, "update-index", "--index-info"], input=stages, text=True, check=True)
    (tmp_path / "rejected.rej").touch()
    (tmp_path / ".gitignore").write_text("*.rej\n")
    (tmp_path / "marked").write_text("<<<<<<< before updating\n=======\n>>>>>>> after updating\n")

    assert conflicts(tmp_path) == ["marked", "rejected", "unmerged"]


@pytest.mark.parametrize(
    ("function", "argument", "reason"),
    [(os._exit, 3, "its process ended with exit status 3"), (time.sleep, 1000, "it took more than 1 s")],
)
def test_an_update_that_crashes_or_hangs_fails(function, argument, reason, monkeypatch):
    monkeypatch.setattr(processes, "TIMEOUT", 1)
    with pytest.raises(PreviewError, match=f"^the update fails: {reason}$"):
        processes.run_in_process(function, argument)


def test_documented_json_has_the_fields_of_the_real_one(template, make, tmp_path):
    conflict(make(tmp_path / "clash"))
    (example,) = re.findall(r"^```json\n(.*?)^```$", FLEET, re.MULTILINE | re.DOTALL)
    documented, real = json.loads(example), json.loads(report(JSON, template, tmp_path).stdout)

    def fields(value: object) -> object:
        if isinstance(value, dict):
            return {name: fields(inner) for name, inner in value.items()}
        return [fields(inner) for inner in value if isinstance(inner, dict)] if isinstance(value, list) else None

    assert fields(documented) == fields(real)


def test_script_pins_the_versions_of_the_tests():
    script = (TEMPLATE / "tools/preview.py").read_text(encoding="utf-8")
    metadata = tomllib.loads(
        script.partition("# /// script\n")[2].partition("# ///\n")[0].replace("# ", "").replace("#\n", "")
    )
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(metadata["dependencies"]) <= set(project["dependency-groups"]["dev"])
    assert metadata["requires-python"] == project["project"]["requires-python"]
    assert metadata["tool"]["uv"]["exclude-newer"] == project["tool"]["uv"]["exclude-newer"]
