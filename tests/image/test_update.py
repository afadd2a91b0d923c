"""An edited service builds and runs after an update."""

import re
from pathlib import Path

import pytest
from building import build, run_container_tests
from edits import EDITS
from history import KINDS, Kind
from offered import marked
from support import Service, engine
from updating import Template


# The oldest service of each framework; a dictionary keeps the last of equal keys.
@pytest.mark.parametrize(
    "kind", marked({kind.framework: kind for kind in reversed(KINDS)}.values(), KINDS[:1]), ids=str
)
def test_an_edited_service_runs_after_an_update(
    kind: Kind, template_clone: Path, service: Service, tmp_path: Path, request: pytest.FixtureRequest
):
    template = Template.with_releases(template_clone, tmp_path / "template")
    updated = template.make(kind.release, tmp_path / "service", service.env, **kind.answers, dockerfile_syntax="")
    for edit in EDITS:
        # A company's base image can't be pulled.
        if edit.name != "a base image" and edit.applies(updated.folder):
            edit.make(updated.folder)
    updated.commit()

    updated.update()

    assert updated.conflicts() == []
    dockerfile = updated.text("Dockerfile")
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", dockerfile, re.MULTILINE)
    engine("stand-ins", *images)
    image = build(updated.folder, "my-service:updated")
    everything = kind == KINDS[0] and request.config.getoption("slow")
    tests = "" if everything else "tests/container/test_image.py"
    run_container_tests(Service(updated.folder, service.env), image, tests)
    assert image.run("printenv", "TZ") == "Europe/Berlin\n"
