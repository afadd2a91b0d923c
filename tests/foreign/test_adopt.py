"""Existing services adopt the template by docs/how-to/adopt.md."""

import json
import re
import subprocess

import pytest
from choices import FRAMEWORKS
from existing import LAYOUTS, ORDER, SERVICES
from offered import marked
from support import edit

EVERY_CHANGE = [*SERVICES, "fastapi-by-a-function"]


@pytest.mark.parametrize("services", [LAYOUTS])
def test_each_framework_has_services_that_adopt_it(services):
    assert {service.framework for service in services.values()} == set(FRAMEWORKS)


@pytest.mark.parametrize("name", marked([*LAYOUTS, *SERVICES], EVERY_CHANGE))
def test_an_existing_service_adopts_the_template(name, adopt):
    adoption = adopt(name)
    service, existing = adoption.service, adoption.existing

    changed = {".gitignore", "Dockerfile", *({"pyproject.toml"} & adoption.own), *existing.changed}
    assert set(adoption.preview["changed"]) == changed
    assert set(adoption.preview["left alone"]) == adoption.own - changed
    assert adoption.preview["warnings"] == list(existing.warnings)
    # All remaining files are still used.
    assert set(existing.gone) == adoption.own - set(service.run("git ls-files").split())
    assert re.search(r"test_order PASSED", adoption.outputs["uv run pytest --cov"])
    assert re.search(r"test_probes\.py::test_alive PASSED", adoption.outputs["uv run pytest --cov"])
    service.run("uv lock --check")
    assert 'version = "4.2.0"' in (service.folder / "pyproject.toml").read_text()
    assert set((service.folder / ".gitignore").read_text().splitlines()) >= {".env", "/.venv"}
    assert (service.folder / ".env").read_text() == "PASSWORD=secret\n"
    assert ".env" not in service.run("git ls-files").split()
    assert json.loads(adoption.pages[0]) == ORDER
    # Workers write independently of each other.
    assert sorted((line["event"], line["path"], line["status"]) for line in adoption.requests) == [
        ("request", path, 200) for path in sorted(existing.pages)
    ]


@pytest.mark.parametrize("name", marked([*LAYOUTS, *SERVICES], EVERY_CHANGE))
def test_a_service_that_adopted_the_template_gets_its_updates(name, adopt):
    adoption = adopt(name)
    service, template = adoption.service, adoption.template

    edit(template / "template/Dockerfile.jinja", (r"\Z", "# Improved.\n"))
    edit(template / "template/pyproject.toml.jinja", (r'"ruff>=', '"iniconfig>=2",\n    "ruff>='))
    subprocess.run(["git", "-C", template, "commit", "--all", "--quiet", "--message=Improve"], check=True)
    subprocess.run(["git", "-C", template, "tag", "v1000.0.1"], check=True)
    service.run("uvx --with jinja2-time --with copier-template-extensions copier update --trust --defaults")

    assert set(service.run("git status --short").splitlines()) == {
        " M .copier-answers.yml",
        " M Dockerfile",
        " M pyproject.toml",
        " M uv.lock",
    }
    assert "<<<<<<<" not in (service.folder / "pyproject.toml").read_text()
    service.run("uv lock --check")
