"""Updates keep edits."""

import tomllib

import pytest
from choices import FRAMEWORKS
from edits import EDITS, Edit
from history import FEW_KINDS, KINDS, LAST, Kind
from offered import marked
from support import edit as change
from support import git
from updating import PRESENT, TrackedService, owners

# The oldest of each framework, and one of the last release.
OLDEST = {kind.framework: kind for kind in reversed(KINDS)}
NEWEST = {kind.framework: kind for kind in reversed(KINDS) if kind.release == LAST}
NOTE = "Said by a newer release."


def made_edits(service: TrackedService) -> list[Edit]:
    """Make all edits, and commit them."""
    edits = [edit for edit in EDITS if edit.applies(service.folder)]
    assert len(edits) >= 15
    for edit in edits:
        edit.make(service.folder)
    service.commit()
    assert lost(service, edits) == []
    return edits


def lost(service: TrackedService, edits: list[Edit]) -> list[str]:
    return [edit.name for edit in edits if not edit.kept(service.folder)]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_a_missing_edit_is_detected(edit, original):
    """Otherwise the other tests would prove nothing."""
    services = [original(PRESENT, framework=framework).folder for framework in FRAMEWORKS]
    assert not edit.kept(next(filter(edit.applies, services)))


# All combinations of framework and server; the platform doesn't matter here.
@pytest.mark.parametrize(
    "kind", marked([kind for kind in KINDS if kind.platform == KINDS[0].platform], FEW_KINDS), ids=str
)
def test_an_update_keeps_every_edit(kind: Kind, make):
    service = make(kind.release, **kind.answers)
    edits = made_edits(service)

    service.update()

    assert service.conflicts() == []
    assert lost(service, edits) == []


def test_edits_merge_with_changes_of_each_shared_file(make, newer):
    service = make(template=newer)
    shared = {file for file, owner in owners(service).items() if owner == "shared"} - {".python-version"}
    for file in shared:
        source = newer.source(file)
        source.write_text(f"# {NOTE}\n{source.read_text(encoding='utf-8')}", encoding="utf-8")
    newer.release("1001.0.0")
    edits = made_edits(service)
    there = shared & service.files().keys()
    assert len(there) >= 10

    service.update(version="1001.0.0")

    assert service.conflicts() == []
    assert lost(service, edits) == []
    assert {file for file in shared if (service.folder / file).exists()} == there
    assert [file for file in there if NOTE not in service.text(file)] == []


@pytest.mark.parametrize("kind", marked(dict.fromkeys([*OLDEST.values(), *NEWEST.values()]), NEWEST.values()), ids=str)
def test_edits_merge_with_changes_of_each_requirement(kind: Kind, make, newer):
    service = make(kind.release, newer, **kind.answers)
    edits = made_edits(service)
    choices = [file for file in (newer.folder / "stacks").glob("*/*/*.toml") if "requirements" in file.read_text()]
    for source in (newer.source("pyproject.toml"), *choices):
        change(source, (r'("[a-z0-9-]+)>=\d', r"\1>=9"))
    change(newer.source("pyproject.toml"), (r"\Z", f"\n# {NOTE}\n[tool.newer]\nanswer = 42\n"))
    newer.release("1001.0.0")

    service.update(version="1001.0.0")

    assert service.conflicts() == []
    assert lost(service, edits) == []
    assert tomllib.loads(service.text("pyproject.toml"))["tool"].keys() >= {"ours", "newer"}
    assert '"structlog>=96.1.0"' in service.text("pyproject.toml")


@pytest.mark.parametrize("kind", marked(dict.fromkeys([*OLDEST.values(), *NEWEST.values()]), OLDEST.values()), ids=str)
def test_an_edited_and_updated_service_passes_its_tests(kind: Kind, make, user_env: dict[str, str]):
    service = make(kind.release, **kind.answers)
    installed = TrackedService(service.folder, user_env)
    made_edits(service)
    installed.run("uv lock")
    service.commit()

    said = installed.update()

    assert "uv.lock is up to date." in said
    assert "anyascii" in git(service.folder, "show", ":uv.lock")
    installed.run("uv lock --check")
    installed.run("uv run --locked ruff check")
    assert " passed" in installed.run("uv run --locked pytest")
