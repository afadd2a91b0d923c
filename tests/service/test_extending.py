"""A server is added by the steps of docs/how-to/extending.md: one folder, and no other file."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from demo import free_port, wait_until_ready
from recipes import CHECKS, follow, sections
from support import TEMPLATE, Service

DOCUMENT = (TEMPLATE / "docs/how-to/extending.md").read_text(encoding="utf-8")


@pytest.fixture
def template(template_clone, tmp_path) -> Path:
    """Follow the steps in a copy of the template."""
    folder = tmp_path / "template"
    subprocess.run(["git", "clone", "--quiet", template_clone, folder], check=True)
    follow(sections(DOCUMENT, 2)["A server"], Service(folder, {}))
    changed = subprocess.run(
        ["git", "-C", folder, "status", "--short"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert changed == "?? stacks/servers/hypercorn/\n"
    subprocess.run(["git", "-C", folder, "add", "--all"], check=True)
    subprocess.run(["git", "-C", folder, "commit", "--quiet", "--message=Offer Hypercorn"], check=True)
    return folder


def test_documented_server_takes_one_folder(template, user_env, tmp_path):
    folder = tmp_path / "service"
    options = ["--trust", "--defaults", "--quiet", "--data=framework=fastapi", "--data=server=hypercorn"]
    copy = [sys.executable, "-m", "copier", "copy", *options, "--vcs-ref=HEAD", template, folder]
    subprocess.run(copy, env=user_env, check=True)
    service = Service(folder, user_env)

    for command in ("uv sync --locked", *CHECKS):
        service.run(command)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (serve,) = re.findall(r"^\$ (uv run hypercorn .*)$", readme, re.MULTILINE)
    assert "uvicorn" not in readme.lower()
    assert 'cmd = "hypercorn --reload ' in (folder / "pyproject.toml").read_text(encoding="utf-8")
    port = free_port()
    with subprocess.Popen(serve.split(), cwd=folder, env={**user_env, "PORT": str(port)}) as server:
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=10) as answer:
                assert json.load(answer)["name"] == "my-service"
        finally:
            server.terminate()


def test_no_service_can_have_the_name_of_an_added_server(template, user_env, tmp_path):
    options = ["--trust", "--defaults", "--quiet", "--data=distribution_name=hypercorn"]
    copy = [sys.executable, "-m", "copier", "copy", *options, "--vcs-ref=HEAD", template, tmp_path / "service"]

    result = subprocess.run(copy, env=user_env, check=False, capture_output=True, text=True)

    assert result.returncode != 0
    assert "hypercorn" in result.stderr
