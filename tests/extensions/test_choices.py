"""Choices: menus, packages, and the stack of a service."""

import dataclasses
import re
import tomllib
from pathlib import Path

import choices
import pytest
from choices import FRAMEWORKS, OTHER, PLATFORMS, PYTHONS, SERVERS, SETTINGS, Framework, make_stack
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from support import TEMPLATE


@pytest.fixture
def render():
    environment = SandboxedEnvironment(extensions=[choices.ChoicesExtension], undefined=StrictUndefined)
    return lambda source, **answers: environment.from_string(source).render(answers)


def fitting():
    return [(key, server) for key in FRAMEWORKS for server in choices.server_choices(key).values()]


# --- Menus


def test_defaults_come_first():
    assert next(iter(choices.platform_choices().values())) == "debian-13"
    assert next(iter(choices.framework_choices().values())) == "flask"
    assert next(iter(choices.server_choices("flask").values())) == "uwsgi"


def test_every_platform_is_offered_and_another_image_last():
    assert list(choices.platform_choices().values()) == [*PLATFORMS, OTHER]


def test_every_framework_is_offered():
    assert list(choices.framework_choices().values()) == list(FRAMEWORKS)


def test_every_server_is_offered_to_a_framework():
    assert {server for _, server in fitting()} == SERVERS.keys()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_servers_are_offered_to_frameworks_that_they_can_run(framework):
    offered = choices.server_choices(framework)

    assert offered
    for key, server in SERVERS.items():
        assert (key in offered.values()) == (FRAMEWORKS[framework].interface in server.interfaces)


@pytest.mark.parametrize("table", [PLATFORMS, FRAMEWORKS, SERVERS], ids=["platforms", "frameworks", "servers"])
def test_labels_differ(table):
    labels = [item.label for item in table.values()] + [choices.OTHER_LABEL]
    assert len(labels) == len(set(labels))


def test_uwsgi_label_mentions_maintenance_mode():
    assert "maintenance mode" in SERVERS["uwsgi"].label


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_label_names_the_python_version(platform):
    assert platform.label.endswith(f"Python {platform.python}")


def test_every_platforms_python_is_offered_for_another_image():
    assert {platform.python for platform in PLATFORMS.values()} <= set(PYTHONS)


# --- Packages


def test_service_needs_the_platforms_python():
    assert PLATFORMS["ubuntu-24.04"].packages == ("python3.12",)


def test_image_with_python_installs_no_other_python():
    assert PLATFORMS["python-3.14"].packages == ()


# --- The stack of a service


@pytest.mark.parametrize(
    ("platform", "image", "python", "interpreter"),
    [
        ("debian-13", "debian:trixie-slim", "3.13", "/usr/bin/python3.13"),
        ("debian-12", "debian:bookworm-slim", "3.11", "/usr/bin/python3.11"),
        ("ubuntu-24.04", "ubuntu:24.04", "3.12", "/usr/bin/python3.12"),
        ("ubuntu-26.04", "ubuntu:26.04", "3.14", "/usr/bin/python3.14"),
        ("python-3.14", "python:3.14-slim-trixie", "3.14", "/usr/local/bin/python3.14"),
    ],
)
def test_platform_sets_base_image_and_python(platform, image, python, interpreter):
    stack = make_stack(platform, "flask", "uwsgi", "my_service")

    assert (stack["base_image"], stack["python"], stack["interpreter"]) == (image, python, interpreter)
    assert stack["has_python"] == interpreter.startswith("/usr/local/")


def test_other_platform_uses_the_given_image_and_python_from_apt():
    stack = make_stack(OTHER, "flask", "uwsgi", "my_service", "registry.example.com/team/debian:13.2", "3.13")
    usual = make_stack("debian-13", "flask", "uwsgi", "my_service")

    image = "registry.example.com/team/debian:13.2"
    assert stack == usual | {"base_image": image, "cache": image}


def test_named_platform_ignores_base_image_and_python_version():
    assert make_stack("debian-13", "flask", "uwsgi", "a", "x:1", "3.11") == make_stack(
        "debian-13", "flask", "uwsgi", "a"
    )


@pytest.mark.parametrize(("framework", "server"), fitting())
def test_commands_start_this_services_application(framework, server):
    stack = make_stack("debian-13", framework, server, "my_service")
    module = f"my_service.{stack['interface']}"

    for command in (stack["server"]["command"], stack["server"]["start"]):
        assert not re.search("PACKAGE|INTERFACE|[{}]", command)
        # uWSGI reads it from its own configuration.
        assert (module in command) == (server != "uwsgi")
    assert stack["server"]["config"] in stack["server"]["command"] + stack["server"]["start"]


@pytest.mark.parametrize(("framework", "server"), fitting())
def test_threads_are_for_wsgi(framework, server):
    stack = make_stack("debian-13", framework, server, "my_service")

    assert (stack["threads"] is None) == (stack["interface"] == "asgi")


@pytest.mark.parametrize(("framework", "server"), fitting())
def test_requirements_of_all_choices_are_sorted(framework, server):
    for library in choices.settings_choices(framework):
        stack = make_stack("debian-13", framework, server, "my_service", settings_library=library)

        requirements = stack["requirements"]
        assert requirements == sorted(requirements)
        assert set(requirements) == {
            *FRAMEWORKS[framework].requirements,
            *SERVERS[server].requirements,
            *SETTINGS[library].requirements,
        }


@pytest.mark.parametrize(("framework", "server"), fitting())
def test_preloaded_modules_of_all_choices_are_sorted(framework, server):
    for library in choices.settings_choices(framework):
        stack = make_stack("debian-13", framework, server, "my_service", settings_library=library)

        assert stack["preload"] == sorted(set(stack["preload"]))
        assert set(stack["preload"]) == {
            "structlog",
            *FRAMEWORKS[framework].preload,
            *SERVERS[server].preload,
            *SETTINGS[library].preload,
        }


def test_only_a_new_fastapi_service_uses_pydantic_settings(tmp_path):
    answers = tmp_path / ".copier-answers.yml"
    assert [choices.default_settings(name, answers) for name in ("flask", "django", "fastapi")] == [
        "environ-config",
        "environ-config",
        "pydantic-settings",
    ]

    answers.write_text("framework: fastapi\n")
    assert choices.default_settings("fastapi", answers) == "environ-config"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_files_of_a_service_lie_in_its_package(framework):
    server = next(iter(choices.server_choices(framework).values()))
    files = make_stack("debian-13", framework, server, "my_service")["owned"]

    assert files[0] == "src/my_service/__init__.py"
    for file in files:
        assert file.startswith(("src/my_service/", "tests/test_"))


@pytest.mark.parametrize(("framework", "server"), fitting())
def test_files_of_a_stack_have_sources_and_distinct_paths(framework, server):
    files = make_stack("debian-13", framework, server, "my_service")["files"]

    paths = [file["path"] for file in files]
    assert len(paths) == len(set(paths))
    assert f"etc/{SERVERS[server].config}" in paths
    assert f"src/my_service/{FRAMEWORKS[framework].interface}.py" in paths
    for file in files:
        assert (TEMPLATE / file["source"]).is_file()
        assert not re.search("[{}]", file["path"])


# --- Data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lable": "Flask"}, "no framework has lable"),
        ({"interface": None}, "missing 1 required keyword-only argument: 'interface'"),
    ],
)
def test_error_in_a_toml_file_names_the_file(change, reason):
    data = {**tomllib.loads((TEMPLATE / "stacks/frameworks/flask/framework.toml").read_text()), **change}

    with pytest.raises(ValueError, match=rf"^a/framework\.toml: .*{reason}"):
        choices.read(Framework, {name: value for name, value in data.items() if value}, Path("a/framework.toml"))


# --- The framework can't be changed


def test_unchanged_or_first_framework_is_accepted(tmp_path):
    answers = tmp_path / ".copier-answers.yml"
    assert choices.check_framework("flask", answers) == ""
    answers.write_text("ci: none\nframework: flask\n")
    assert choices.check_framework("flask", answers) == ""


def test_changed_framework_is_refused_with_a_hint(tmp_path):
    (tmp_path / "answers").write_text("ci: none\nframework: flask\nimage_name: x\n")
    message = choices.check_framework("django", tmp_path / "answers")
    assert message == "start a new service\nA flask service can't change to django: its code depends on the framework."
    assert all(len(line) <= 80 for line in f"Validation error for question 'framework': {message}".splitlines())


@pytest.mark.parametrize("name", FRAMEWORKS["django"].reserved)
def test_names_of_djangos_own_apps_are_refused(name):
    assert f'an app of its own called "{name}"' in choices.check_reserved(name, "django")
    assert choices.check_reserved(choices.unreserved(name, "django"), "django") == ""
    assert choices.check_reserved(name, "flask") == ""
    assert choices.unreserved(name, "flask") == name


# --- In Copier


def test_tables_cannot_be_changed_by_a_template():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PLATFORMS["debian-13"].python = "2.7"


def test_globals_and_filters_are_available_in_templates(render):
    assert render("{{ platform_choices() }}{{ framework_choices() }}{{ server_choices('flask') }}{{ pythons }}")
    assert render("{{ make_stack('debian-13', 'flask', 'uwsgi', 'my_service').base_image }}") == "debian:trixie-slim"
    assert render("{{ 'django' | check_framework('no-such-file') }}") == ""
