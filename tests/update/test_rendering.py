"""An update takes the template's files from what Copier rendered for its merge, if it can."""

import re
import subprocess
import sys

import pytest
from support import edit
from updating import PRESENT, TrackedService

EDITED = "etc/healthcheck.py"
TWO_UPDATES = """
import sys
from copier import run_update

first, second, version = sys.argv[1:]
for folder, skip_tasks in ((first, False), (second, True)):
    run_update(folder, vcs_ref=version, overwrite=True, defaults=True, unsafe=True, skip_tasks=skip_tasks)
"""


@pytest.fixture
def edited(make) -> TrackedService:
    """Make a service of an older release, with an edit in a file that an update overwrites."""
    service = make("0.8.0")
    edit(service.folder / EDITED, (r"\Z", "# Ours\n"))
    service.commit()
    return service


def processes_with_copier(service: TrackedService, *options: str) -> int:
    """Update, and return the number of processes that imported what renders a template."""
    service.env = {**service.env, "PYTHONPROFILEIMPORTTIME": "1"}
    return len(re.findall(r"\| +copier\._main$", service.update(*options), re.MULTILINE))


def test_settling_takes_what_copier_rendered(edited):
    assert processes_with_copier(edited) == 1

    assert "# Ours" not in edited.text(EDITED)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        pytest.param(["--skip-tasks"], {}, id="without-tasks"),
        # Nothing can be written there, as on a full disk.
        pytest.param([], {"UV_DOCKER_TEMPLATE_UPDATE": "/proc"}, id="unwritable"),
    ],
)
def test_settling_renders_what_was_not_kept(options, variables, edited, original):
    edited.env = {**edited.env, **variables}

    assert processes_with_copier(edited, *options) == 2

    assert edited.text(EDITED) == original(PRESENT).text(EDITED)


def test_settling_never_takes_what_another_update_kept(edited, make, original):
    other = make("0.8.0", framework="fastapi", server="uvicorn")

    subprocess.run(
        [sys.executable, "-c", TWO_UPDATES, other.folder, edited.folder, f"v{PRESENT}"],
        env=edited.env,
        check=True,
        stdin=subprocess.DEVNULL,
    )

    for service, fresh in (
        (edited, original(PRESENT)),
        (other, original(PRESENT, framework="fastapi", server="uvicorn")),
    ):
        assert service.text(EDITED) == fresh.text(EDITED)
        assert service.text("docker-entrypoint.sh") == fresh.text("docker-entrypoint.sh")
