"""Updates keep answers and apply changed ones; a second update changes nothing."""

import os
import subprocess
import sys

import pytest
import yaml
from history import FIRST_AND_LAST, KINDS, RELEASES
from offered import marked
from support import edit, git
from updating import TrackedService

ANSWERS = {
    "project_name": 'Orders & "Returns"',
    "package_name": "orders",
    "description": "Takes orders: all of them, 100 %",
    "author_name": "Zoë O'Neil",
    "author_email": "zoe@example.com",
    "license": "MIT",
    "image_name": "registry.example.com/shop/orders",
    "dockerfile_syntax": "",
    "copyright_year": "1999",
}
ONE_OF_EACH = {kind.release: kind for kind in KINDS}


def answers(service: TrackedService) -> dict[str, str]:
    stored = yaml.safe_load(service.text(".copier-answers.yml"))
    return {name: answer for name, answer in stored.items() if not name.startswith("_")}


@pytest.mark.parametrize("release", marked(RELEASES, FIRST_AND_LAST))
def test_answers_are_kept(release: str, make):
    service = make(release, **ANSWERS)
    before = answers(service)
    assert ANSWERS.items() <= before.items()

    service.update()

    assert service.conflicts() == []
    assert before.items() <= answers(service).items()


@pytest.mark.parametrize("kind", marked(ONE_OF_EACH.values(), [ONE_OF_EACH[name] for name in FIRST_AND_LAST]), ids=str)
def test_a_second_update_changes_nothing(kind, make):
    service = make(kind.release, **kind.answers)
    service.update()
    service.commit()
    before = service.files()

    service.update()

    assert service.files() == before


@pytest.mark.parametrize("release", marked(RELEASES, FIRST_AND_LAST))
def test_changed_answers_take_effect(release: str, make, original):
    changed = {"description": "Something else", "license": "MIT", "image_name": "other", "dockerfile_syntax": ""}
    service = make(release)

    service.update(*(f"--data={name}={answer}" for name, answer in changed.items()))

    assert service.conflicts() == []
    fresh = original("1000.0.0", **changed)
    assert answers(service) == answers(fresh)
    for file in ("LICENSE", "pyproject.toml", "Dockerfile", "tests/container/conftest.py"):
        assert service.text(file) == fresh.text(file)


def test_template_given_by_a_relative_path_is_found_from_the_service(newer, without_uv, tmp_path):
    here = tmp_path / "a" / "folder"
    here.mkdir(parents=True)
    env = {**os.environ, "PATH": without_uv}
    command = [sys.executable, "-m", "copier", "copy", "--quiet", "--trust", "--defaults", "--skip-tasks"]
    subprocess.run([*command, os.path.relpath(newer.folder, here), "below/service"], cwd=here, env=env, check=True)
    service = TrackedService(here / "below" / "service", env)
    git(service.folder, "init", "--quiet")
    service.commit("Start from the template")
    newer.release("1001.0.0")

    service.update(version="1001.0.0")

    answers = yaml.safe_load(service.text(".copier-answers.yml"))
    assert (answers["_src_path"], answers["_commit"]) == (str(newer.folder), "v1001.0.0")


def test_relative_path_of_a_template_becomes_absolute(make, newer):
    service = make(template=newer)
    relative = os.path.relpath(newer.folder, service.folder)
    edit(service.folder / ".copier-answers.yml", (r"_src_path: [^\n]*", f"_src_path: {relative}"))
    service.commit()
    newer.release("1001.0.0")

    service.update(version="1001.0.0")

    assert f"_src_path: {newer.folder}\n" in service.text(".copier-answers.yml")
