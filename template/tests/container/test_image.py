# An update overwrites this file.
"""What the image promises to whoever runs it."""

import pytest
from python_on_whales import Container, docker

from .conftest import Run, execute, get, output, wait_until


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_tells_that_it_is_alive_and_ready(service: Container, path: str) -> None:
    status, page = get(service, path)

    assert (status, page["status"]) == (200, "ok")


def test_runs_without_rights(service: Container) -> None:
    assert "uid=10001(app) gid=10001(app)" in execute(service, "id")
    assert service.config.user == "10001:10001"


def test_serves_as_any_user(run: Run) -> None:
    with run(user="54321:0") as container:
        wait_until(container, "healthy")
        assert get(container, "/livez")[0] == 200


def test_serves_within_tight_limits(run: Run) -> None:
    limits = {"memory": "128m", "networks": ["none"], "pids_limit": 20, "publish": []}
    with run(**limits, envs={"WEB_CONCURRENCY": "2"}) as container:
        wait_until(container, "healthy")


def test_writes_no_file(run: Run) -> None:
    with run(read_only=False) as container:
        wait_until(container, "healthy")
        get(container, "/readyz")
        docker.stop(container, time=30)
        assert docker.diff(container) == {}


def test_can_not_change_its_own_code(run: Run) -> None:
    find = ("find", "/app", "/docker-entrypoint.sh", "-writable", "-not", "-type", "l")

    assert output(run, *find, read_only=False) == (0, "")


@pytest.mark.parametrize("tool", ["cc", "gcc", "ld", "make", "pip", "uv", "curl"])
def test_has_no_tool_that_only_an_intruder_needs(run: Run, tool: str) -> None:
    status, found = output(run, "sh", "-c", f"command -v {tool}")

    assert status != 0, found


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml", "*.whl", "*.a", "*.h"])
def test_has_no_file_that_only_the_build_needs(run: Run, name: str) -> None:
    find = ("find", "/", "-xdev", "-name", name)

    assert output(run, *find, user="0", cap_drop=[]) == (0, "")


def test_runs_a_command_instead_of_the_server(run: Run) -> None:
    script = "import sys; print(sys.argv[1:])"

    assert output(run, "python", "-c", script, "$HOME *") == (0, "['$HOME *']\n")
