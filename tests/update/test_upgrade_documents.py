"""The commands that documents give for updates."""

import os
import re
import subprocess
import sys

import pytest
from support import TEMPLATE
from updating import PRESENT, append

UVX = re.compile(r"uvx( --with [\w-]+)* copier update")


def commands(text: str) -> list[str]:
    """Return the lines of the first console block that updates a service, with the tests' Copier."""
    (block, *_) = [block for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL) if "copier update" in block]
    lines = re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)
    # With the working tree as 1.0.0, and without questions.
    defaults = "" if "--defaults" in block else " --defaults"
    copier = f"{sys.executable} -m copier update{defaults}"
    return [UVX.sub(copier, line).replace("v1.0.0", f"v{PRESENT}") for line in lines if "uv run" not in line]


@pytest.mark.parametrize("document", ["docs/operations.md", "CHANGELOG.md"])
def test_commands_update_a_service(document, make, template, without_uv):
    if document == "CHANGELOG.md":
        service, version = make("0.9.0"), PRESENT
        text = (TEMPLATE / document).read_text(encoding="utf-8")
    else:
        service, version = make(), template.release(append("# The template's\n", "template/.gitignore*"))
        text = service.text(document)

    for command in commands(text):
        env = {**os.environ, "PATH": without_uv}
        run = subprocess.run(
            command, shell=True, cwd=service.folder, env=env, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, (command, run.stdout, run.stderr)

    assert f"_commit: v{version}" in service.text(".copier-answers.yml")
