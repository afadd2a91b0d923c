"""A service can't be called like one of its dependencies: extensions/names.py knows all of them."""

import tomllib
from collections.abc import Callable

import names
import pytest
from support import Service

MODULES = "import importlib.metadata as metadata; print(*metadata.packages_distributions())"


@pytest.mark.parametrize(("framework", "server"), [("flask", "uwsgi"), ("django", "gunicorn"), ("fastapi", "uvicorn")])
def test_names_of_dependencies_are_refused(scaffold: Callable[..., Service], framework: str, server: str) -> None:
    service = scaffold(framework=framework, server=server, database="postgresql", jobs="procrastinate")
    lock = tomllib.loads((service.folder / "uv.lock").read_text(encoding="utf-8"))
    distributions = {package["name"] for package in lock["package"]}
    modules = service.run(f"uv run --quiet --locked python -c '{MODULES}'").split()

    assert {name for name in distributions if not names.check_distribution_name(name)} == {"my-service"}
    assert len(modules) > 20
    assert [name for name in modules if name.isidentifier() and not names.check_package_name(name)] == []
