"""What a service's README says of changing it is carried out, word for word, and the service's own checks pass."""

import re
import subprocess
import sys

import pytest
from recipes import CHECKS, commands, follow, run, sections
from support import Service, readme_command

EVERYWHERE = ["Add an endpoint", "Add a setting", "Add a dependency", "Add a readiness check"]
RECIPES = {"flask": EVERYWHERE, "fastapi": EVERYWHERE, "django": [*EVERYWHERE, "Add a model"]}
# Carried out by other tests.
ELSEWHERE = {"If it should not be a package"}


@pytest.fixture(scope="module")
def service(request, template_clone, user_env, tmp_path_factory) -> Service:
    """Make a service, and do what comes next as its last words say, up to its server."""
    folder = tmp_path_factory.mktemp("recipes")
    copy = subprocess.run(
        [*readme_command(template_clone), "--defaults", f"--data=framework={request.param}"],
        cwd=folder,
        env={**user_env, "UV_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert copy.returncode == 0, copy.stderr
    steps = re.findall(r"^ +(\S.*)$", copy.stderr.partition("Next:\n")[2], re.MULTILINE)
    assert steps[0] == "cd myapp", copy.stderr
    service = Service(folder / "myapp", user_env)
    for step in steps[1:-1]:
        run(step, service)
        if step.startswith("export "):
            service = Service(service.folder, {**service.env, **dict(re.findall(r"(\w+)=(\S+)", step))})
    return service


@pytest.fixture
def recipes(service) -> dict[str, str]:
    """Give what the service's README says of changing it, by heading."""
    return sections(change_it(service), 3)


def change_it(service: Service) -> str:
    return sections((service.folder / "README.md").read_text(encoding="utf-8"), 2)["Change it"]


@pytest.mark.parametrize("service", ["django"], indirect=True)
def test_what_comes_next_leaves_no_migration_to_be_applied(service):
    run("uv run python manage.py migrate --check", service)


@pytest.mark.parametrize("service", RECIPES, indirect=True)
def test_every_recipe_is_carried_out_by_a_test(service, recipes, request):
    framework = request.node.callspec.params["service"]
    assert set(recipes) == {*RECIPES[framework], *ELSEWHERE}


# One after the other in the same service: they fit together, too.
@pytest.mark.parametrize(
    ("service", "recipe"),
    [(framework, recipe) for framework, recipes in RECIPES.items() for recipe in recipes],
    indirect=["service"],
)
def test_recipe_does_what_it_says(service, recipe, recipes):
    done = follow(recipes[recipe], service)
    (afterwards,) = re.findall(r"```console\n(.*?)```", change_it(service).partition("\n### ")[0], re.DOTALL)
    try:
        for command in (*commands(afterwards), *CHECKS):
            run(command, service)
    except AssertionError as error:
        run("git reset --quiet --hard && git clean --quiet --force -d", service)
        raise AssertionError(f"{recipe}: {'; '.join(done)}\n{error}") from None
    run(f"git add --all && git commit --quiet --message '{recipe}'", service)
