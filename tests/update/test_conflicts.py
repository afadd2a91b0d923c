"""An update reports its conflicts, and git lists them as unmerged."""

from collections.abc import Callable
from pathlib import Path

import pytest
from offered import marked
from support import edit, git
from updating import Template, TrackedService

NEWER = "1001.0.0"


def set_buffer(file: Path, size: int) -> None:
    edit(file, (r"buffer-size = \d+", f"buffer-size = {size}"))


def same_lines(service: Path, template: Template) -> str:
    set_buffer(template.source("etc/uwsgi.ini"), 16384)
    set_buffer(service / "etc/uwsgi.ini", 65536)
    return "etc/uwsgi.ini"


def both_added(service: Path, template: Template) -> str:
    (template.folder / "template/etc/limits.conf").write_text("one\n")
    (service / "etc/limits.conf").write_text("two\n")
    return "etc/limits.conf"


def gone_in_the_template(service: Path, template: Template) -> str:
    template.source(".envrc").unlink()
    (service / ".envrc").write_text("export ANSWER=42\n")
    return ".envrc"


def gone_in_the_package(service: Path, template: Template) -> str:
    template.source("src/my_service/logs.py").unlink()
    (service / "src/my_service/logs.py").write_text("ANSWER = 42\n")
    return "src/my_service/logs.py"


Clash = Callable[[Path, Template], str]


@pytest.fixture(params=[same_lines, both_added, gone_in_the_template, gone_in_the_package])
def clash(request: pytest.FixtureRequest) -> Clash:
    return request.param


@pytest.mark.parametrize("how", marked(["inline", "rej"], ["inline"]))
def test_a_conflict_is_reported_until_it_is_resolved(clash: Clash, how: str, make, newer):
    service = make(template=newer)
    file = clash(service.folder, newer)
    newer.release(NEWER)
    service.commit()

    said = service.update("--conflict", how, version=NEWER)

    assert service.conflicts() == [file]
    assert f"In conflict, to be resolved by you:\n    {file}\n" in said
    assert "unmerged files" in service.attempt("git commit --message=Blindly").stderr

    (service.folder / file).write_text("resolved\n")
    (service.folder / f"{file}.rej").unlink(missing_ok=True)
    service.commit()
    assert service.conflicts() == []
    assert git(service.folder, "show", f"HEAD:{file}") == "resolved"


def test_both_sides_of_a_conflict_are_in_the_file(make, newer):
    service = make(template=newer)
    file = same_lines(service.folder, newer)
    newer.release(NEWER)
    service.commit()

    service.update(version=NEWER)

    assert (
        "<<<<<<< before updating\nbuffer-size = 65536\n=======\nbuffer-size = 16384\n>>>>>>> after updating\n"
        in service.text(file)
    )


@pytest.mark.parametrize("clash", [same_lines, gone_in_the_template])
def test_a_conflict_in_a_subfolder_of_the_repository_is_reported(clash: Clash, make, newer):
    """A repository may contain several services."""
    service = make(template=newer)
    file = clash(service.folder, newer)
    newer.release(NEWER)
    repository = service.folder.parent / "repository"
    repository.mkdir()
    (service.folder / ".git").rename(repository / ".git")
    service.folder.rename(repository / "service")
    below = TrackedService(repository / "service", service.env)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=Many services")

    said = below.update(version=NEWER)

    assert below.conflicts() == [f"service/{file}"]
    assert f"In conflict, to be resolved by you:\n    {file}\n" in said


def test_identical_additions_are_no_conflict(make, newer):
    service = make(template=newer)
    (newer.folder / "template/etc/limits.conf").write_text("one\n")
    newer.release(NEWER)
    (service.folder / "etc/limits.conf").write_text("one\n")
    service.commit()

    service.update(version=NEWER)

    assert service.conflicts() == []


def test_unedited_file_that_the_template_removed_is_deleted(make, newer):
    service = make(template=newer)
    newer.source(".envrc").unlink()
    newer.release(NEWER)

    service.update(version=NEWER)

    assert service.conflicts() == []
    assert not (service.folder / ".envrc").exists()


def test_unfinished_update_is_reported(make, newer):
    """Without the answers file in git, there is no base to compare with; Copier's merge is kept."""
    service = make(template=newer)
    file = same_lines(service.folder, newer)
    newer.release(NEWER)
    (service.folder / ".git/info/exclude").write_text(".copier-answers.yml\n")
    git(service.folder, "rm", "--quiet", "--cached", ".copier-answers.yml")
    service.commit()

    said = service.update(version=NEWER)

    assert "The update was merged but not finished" in said
    assert service.conflicts() == [file]


@pytest.mark.parametrize("how", marked(["inline", "rej"], ["inline"]))
def test_lock_is_unchanged_while_pyproject_is_in_conflict(how: str, make, newer):
    """For a file with conflict markers, uv's error message would be unclear."""
    service = make(template=newer)
    edit(newer.source("pyproject.toml"), ("fail_under = 100", "fail_under = 99"))
    newer.release(NEWER)
    edit(service.folder / "pyproject.toml", ("fail_under = 100", "fail_under = 90"))
    service.commit()

    said = service.update("--conflict", how, version=NEWER)

    assert service.conflicts() == ["pyproject.toml"]
    assert "uv.lock is unchanged: resolve the conflict in pyproject.toml, then run `uv lock`.\n" in said
    assert "TOML" not in said
    assert "up to date" not in said
