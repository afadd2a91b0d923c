"""An update with another server or platform replaces the old one completely."""

import re
import tomllib

import pytest
from choices import PLATFORMS
from history import FEW_KINDS, FIRST_AND_LAST, KINDS, RELEASES, Kind
from offered import PAIRS, marked
from support import edit
from updating import PRESENT, TrackedService, owners

# The first server of each framework.
DEFAULTS = dict(reversed(PAIRS)).items()


@pytest.mark.parametrize(
    ("framework", "before", "after"),
    [
        pytest.param(framework, before, after, marks=[] if (framework, before) in DEFAULTS else pytest.mark.slow)
        for framework, before in PAIRS
        for other, after in PAIRS
        if other == framework and after != before
    ],
)
def test_server_is_replaced(framework, before, after, make, original):
    service = make(framework=framework, server=before)

    service.update(f"--data=server={after}")

    assert service.conflicts() == []
    # README.md is the team's.
    files, fresh = service.files(), original(PRESENT, framework=framework, server=after).files()
    assert {**files, "README.md": b""} == {**fresh, "README.md": b""}
    del files["README.md"]
    assert [file for file in files if re.search(before, service.text(file), re.IGNORECASE)] == []


@pytest.mark.parametrize("how", marked(["inline", "rej"], ["inline"]))
@pytest.mark.parametrize("release", marked([*RELEASES, PRESENT], [*FIRST_AND_LAST, PRESENT]))
def test_requirement_of_the_server_is_replaced_between_the_services_own(release, how, make, original):
    service = make(release)
    added = ["anyascii", "fsspec", "granian-metrics", "uwsg", "uwsgi-metrics"]
    add(service, *added)
    service.commit()

    service.update("--data=server=granian", f"--conflict={how}")

    assert service.conflicts() == []
    assert dependencies(service) == in_order(*dependencies(original(PRESENT, server="granian")), *added)
    assert not list(service.folder.glob("*.rej"))


def add(service: TrackedService, *names: str) -> None:
    """Add dependencies at the same places as `uv add`."""
    lines = "".join(f'    "{requirement}",\n' for requirement in in_order(*dependencies(service), *names))
    edit(service.folder / "pyproject.toml", (r"\ndependencies = \[\n.*?\]\n", f"\ndependencies = [\n{lines}]\n"))


def in_order(*requirements: str) -> list[str]:
    """Sort requirements by name, like uv."""
    return sorted(requirements, key=lambda requirement: re.match(r"[\w-]+", requirement)[0])


def dependencies(service: TrackedService) -> list[str]:
    return tomllib.loads(service.text("pyproject.toml"))["project"]["dependencies"]


@pytest.mark.parametrize("kind", marked([kind for kind in KINDS if kind.framework == "fastapi"], FEW_KINDS), ids=str)
def test_settings_library_is_replaced(kind: Kind, make, original):
    service = make(kind.release, **kind.answers)
    before = service.files()

    service.update("--data=settings_library=pydantic-settings")

    assert service.conflicts() == []
    fresh = original(PRESENT, **kind.answers, settings_library="pydantic-settings")
    yours = {file for file, owner in owners(fresh).items() if owner == "yours"} | {"tests/test_health.py"}
    others = {file: content for file, content in fresh.files().items() if file not in yours}
    assert service.files() == others | {file: before[file] for file in yours & before.keys()}


@pytest.mark.parametrize("platform", marked(list(PLATFORMS)[1:], ["python-3.14"]))
def test_platform_is_replaced(platform, make, original):
    service = make()

    service.update(f"--data=platform={platform}")

    assert service.conflicts() == []
    assert service.files() == original(PRESENT, platform=platform).files()


def test_platform_other_takes_a_base_image_and_its_python(make, original):
    answers = {"platform": "other", "base_image": "registry.example.com/base/debian:12.9", "python_version": "3.11"}
    service = make()

    service.update(*(f"--data={name}={answer}" for name, answer in answers.items()))

    assert service.conflicts() == []
    assert service.files() == original(PRESENT, **answers).files()


def test_service_of_a_release_with_one_server_can_change_it(make, original):
    service = make("0.1.0")
    # A new Flask service has no tests of its own for health.py, which holds no check yet.
    own = [file for file, owner in owners(original(PRESENT)).items() if owner == "yours"] + ["tests/test_health.py"]
    before = service.files()

    service.update("--data=server=granian")

    assert service.conflicts() == []
    fresh = original(PRESENT, server="granian").files()
    others = {file: content for file, content in fresh.items() if file not in own}
    assert service.files() == others | {file: before[file] for file in own if file in before}


def test_another_framework_is_refused_before_anything_changes(make):
    service = make()
    before = service.files()

    refused = service.attempt(service.update_command("--data=framework=django"))

    assert refused.returncode != 0
    assert "A flask service can't change to django" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert service.files() == before
