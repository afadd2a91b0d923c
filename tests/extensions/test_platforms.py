"""What can be chosen exists, fits together, and reads well in a menu."""

import dataclasses
import re

import platforms
import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment


@pytest.fixture
def render():
    environment = SandboxedEnvironment(extensions=[platforms.PlatformsExtension], undefined=StrictUndefined)
    return lambda source, **answers: environment.from_string(source).render(answers)


def test_defaults_come_first():
    assert next(iter(platforms.platform_choices().values())) == "debian-13"
    assert next(iter(platforms.framework_choices().values())) == "flask"
    assert next(iter(platforms.server_choices("flask").values())) == "uwsgi"


@pytest.mark.parametrize(
    ("choices", "table"),
    [(platforms.platform_choices(), platforms.PLATFORMS), (platforms.framework_choices(), platforms.FRAMEWORKS)],
    ids=["platforms", "frameworks"],
)
def test_everything_is_offered_under_a_label_of_its_own(choices, table):
    assert list(choices.values()) == list(table)
    assert list(choices) == [item.label for item in table.values()]


@pytest.mark.parametrize("framework", platforms.FRAMEWORKS)
def test_every_framework_has_a_server(framework):
    assert platforms.server_choices(framework)


def test_servers_are_offered_to_frameworks_that_they_can_run(monkeypatch):
    asgi = platforms.Framework(label="Asynchronous", interface="asgi", requirements=())
    both = platforms.Server(label="Both", interfaces=("wsgi", "asgi"), requirements=())
    monkeypatch.setitem(platforms.FRAMEWORKS, "asynchronous", asgi)
    monkeypatch.setitem(platforms.SERVERS, "both", both)

    assert platforms.server_choices("asynchronous") == {"Both": "both"}
    assert "both" in platforms.server_choices("flask").values()


def test_uwsgis_label_says_that_it_is_in_maintenance_mode():
    assert "maintenance mode" in platforms.SERVERS["uwsgi"].label


@pytest.mark.parametrize("platform", platforms.PLATFORMS.values(), ids=platforms.PLATFORMS)
def test_platform_names_one_python_everywhere(platform):
    assert platform.label.endswith(f"Python {platform.python}")
    assert platform.interpreter.endswith(f"/python{platform.python}")
    for packages in (platform.packages, *platform.server_packages.values()):
        for package in packages.build + packages.run:
            assert re.findall(r"python(\d[\d.]*)", package) in ([], [platform.python])


@pytest.mark.parametrize("platform", platforms.PLATFORMS.values(), ids=platforms.PLATFORMS)
def test_compilers_and_headers_stay_in_the_build_stage(platform):
    for server in platforms.SERVERS:
        assert not [name for name in platform.packages_for(server).run if name == "gcc" or name.endswith("-dev")]


@pytest.mark.parametrize("platform", platforms.PLATFORMS.values(), ids=platforms.PLATFORMS)
def test_packages_are_for_servers_that_exist(platform):
    assert platform.server_packages.keys() <= platforms.SERVERS.keys()


def test_packages_of_a_service_are_its_platforms_and_its_servers():
    packages = platforms.PLATFORMS["debian-13"].packages_for("uwsgi")

    assert packages.build == ("python3.13", "gcc", "libc6-dev", "libpcre2-dev", "python3.13-dev")
    assert packages.run == ("python3.13", "libpcre2-8-0", "libpython3.13")


def test_server_without_packages_of_its_own_needs_the_platforms_only():
    platform = platforms.PLATFORMS["debian-13"]
    assert platform.packages_for("another") == platform.packages


def test_tables_cannot_be_changed_by_a_template():
    with pytest.raises(dataclasses.FrozenInstanceError):
        platforms.PLATFORMS["debian-13"].python = "2.7"


def test_templates_reach_everything(render):
    assert render("{{ platforms[platform].base_image }}", platform="debian-13") == "debian:trixie-slim"
    assert render("{{ platforms['debian-13'].packages_for('uwsgi').run | join(' ') }}").startswith("python3.13 ")
    assert render("{{ frameworks.flask.interface }}") == "wsgi"
    assert render("{{ frameworks.flask.requirements + servers.uwsgi.requirements }}").startswith("('flask")
    assert render("{{ platform_choices() }}{{ framework_choices() }}{{ server_choices('flask') }}")
