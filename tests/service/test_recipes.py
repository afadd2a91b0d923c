"""The recipes in a service's docs/development.md are executed, and the service's own checks pass."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from offered import marked
from recipes import CHECKS, commands, follow, recipes_of, run
from support import Service, readme_command

EVERYWHERE = [
    "Add an endpoint",
    "Add a setting",
    "Add a setting without a default",
    "Add a dependency",
    "Add a readiness check",
    "Release a version",
]
RECIPES = {"flask": EVERYWHERE, "fastapi": EVERYWHERE, "django": [*EVERYWHERE, "Add a model"]}
# Tested in tests/image/, and in test_service.py.
ELSEWHERE = [
    "Leave out the tests of large libraries",
    "Add a dependency that needs system packages",
    "If it should not be a package",
]


@pytest.fixture
def make(template_clone, user_env, tmp_path) -> Callable[[str], Service]:
    """Make a service, and run the next steps that Copier prints, except for the server."""

    def make(framework: str) -> Service:
        copy = subprocess.run(
            [*readme_command(template_clone), "--defaults", f"--data=framework={framework}"],
            cwd=tmp_path,
            env={**user_env, "UV_PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
        assert copy.returncode == 0, copy.stderr
        steps = re.findall(r"^ +(\S.*)$", copy.stderr.partition("Next:\n")[2], re.MULTILINE)
        assert steps[0] == "cd myapp", copy.stderr
        service = Service(tmp_path / "myapp", user_env)
        for step in steps[1:-1]:
            run(step, service)
        return service

    return make


# One after the other in the same service, so that they also work together.
# Those of FastAPI are followed in tests/image/ with every change.
@pytest.mark.parametrize("framework", marked(RECIPES, ["flask", "django"]))
def test_recipes_work_one_after_the_other(framework, make):
    service = make(framework)
    if framework == "django":
        run("uv run python manage.py migrate --check", service)
    recipes = recipes_of(service)
    assert sorted(recipes) == sorted([*RECIPES[framework], *ELSEWHERE])
    introduction = (service.folder / "docs/development.md").read_text(encoding="utf-8").partition("\n## ")[0]
    (afterwards,) = re.findall(r"```console\n(.*?)```", introduction, re.DOTALL)

    for recipe in RECIPES[framework]:
        print(recipe, *follow(recipes[recipe], service), sep="\n")
        for command in (*commands(afterwards), "uv run pytest"):
            run(command, service)
    for command in CHECKS:
        run(command, service)
