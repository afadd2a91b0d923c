"""A rendered service locks, installs, passes its own checks and serves."""

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from importlib.metadata import Distribution
from pathlib import Path

import names
import pytest
from demo import free_port, wait_until_ready
from recipes import CHECKS
from support import README, Service, make_unpackaged, readme_command


def test_readme_command_makes_a_locked_service(service):
    assert (service.folder / "uv.lock").is_file()
    service.run("uv lock --check")


@pytest.mark.parametrize(
    ("left_out", "module"),
    [("jinja2-time", "jinja2_time"), ("copier-template-extensions", "copier_template_extensions")],
)
def test_without_what_the_template_needs_nothing_is_written(left_out, module, template_clone, user_env, tmp_path):
    command = readme_command(template_clone)
    at = command.index(left_out)
    del command[at - 1 : at + 1]

    result = subprocess.run(
        [*command, "--defaults"],
        cwd=tmp_path,
        env={**user_env, "UV_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert list(tmp_path.iterdir()) == []
    message = f"Copier could not load some Jinja extensions: No module named '{module}'"
    assert message in " ".join(result.stderr.split())
    assert message.partition("No module")[0] in " ".join(README.split())


def test_own_checks_pass(service):
    (check,) = CHECKS
    assert f"$ {check}\n" in (service.folder / "README.md").read_text(encoding="utf-8")

    assert " passed" in service.run(check)


def test_hooks_before_a_commit_run_the_tools_of_the_lock(service, tmp_path):
    copy = tmp_path / "service"
    shutil.copytree(service.folder, copy, ignore=shutil.ignore_patterns(".venv"))
    run = ["uvx", "pre-commit", "run", "--all-files"]
    for command in (["git", "init", "--quiet"], ["git", "add", "--all"], run):
        subprocess.run(command, cwd=copy, env=service.env, check=True)
    (copy / "src/my_service/bad.py").write_text("def f( x: int ) -> str:\n    return x\n")
    subprocess.run(["git", "add", "--all"], cwd=copy, check=True)

    hooks = subprocess.run(run, cwd=copy, env=service.env, check=False, capture_output=True, text=True)

    assert re.findall(r"^(.*?)\.+Failed$", hooks.stdout, re.MULTILINE) == ["ruff format", "mypy"]


def test_own_checks_fail_on_bad_code(service, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f( x: int ) -> str:\n    return x\nassert f(1)\n")
    for command in (f"ruff check --config pyproject.toml {bad}", f"ruff format --check {bad}", f"mypy {bad}"):
        with pytest.raises(AssertionError, match=r"bad\.py"):
            service.run(f"uv run {command}")


@contextmanager
def serving(service, tmp_path):
    """Start the service as its README says, and stop it; return its address."""
    port = free_port()
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [service.folder / ".venv/bin/uwsgi", "--ini", "etc/uwsgi.ini"],
            cwd=service.folder,
            env={**service.env, "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", process)
            yield f"http://localhost:{port}"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            print((tmp_path / "server.log").read_text())


@pytest.fixture
def server(service, tmp_path):
    with serving(service, tmp_path) as address:
        yield address


def test_serves_json(server):
    for path, expected in {
        "/": {"title": "My Service", "name": "my-service", "version": "0.1.0"},
        "/livez": {"status": "ok"},
        "/readyz": {"status": "ok", "checks": {}},
    }.items():
        with urllib.request.urlopen(server + path, timeout=10) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Connection"] == "close"
            assert json.load(answer) == expected


def test_a_cookie_of_20_kilobytes_is_served(server):
    request = urllib.request.Request(server + "/livez", headers={"Cookie": "a=" + 20_000 * "b"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_unusable_configuration_ends_the_server(service):
    result = subprocess.run(
        [service.folder / ".venv/bin/uwsgi", "--ini", "etc/uwsgi.ini"],
        cwd=service.folder,
        env={**service.env, "PORT": str(free_port()), "LOG_LEVEL": "shouting"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode != 0
    assert re.search('ValueError: LOG_LEVEL is "SHOUTING": choose one of DEBUG, ', result.stdout), result.stdout


def test_a_stop_while_workers_start_ends_the_server(service, tmp_path):
    """A worker that misses the stop spins, and the server never ends."""
    for _ in range(5):
        with (tmp_path / "log").open("w+") as log:
            server = subprocess.Popen(
                [service.folder / ".venv/bin/uwsgi", "--ini", "etc/uwsgi.ini"],
                cwd=service.folder,
                env={**service.env, "PORT": str(free_port())},
                stdout=log,
                stderr=log,
            )
            # The master listens for signals now, and the workers are importing the application.
            while "unix_signal:2 gracefully_kill_them_all" not in (tmp_path / "log").read_text():
                assert server.poll() is None
            server.send_signal(signal.SIGTERM)
            try:
                assert server.wait(timeout=30) == 0
            finally:
                server.kill()


def test_runs_from_its_folder_after_the_steps_for_one_that_is_no_package(service, tmp_path):
    folder = tmp_path / "service"
    shutil.copytree(service.folder, folder, ignore=shutil.ignore_patterns(".venv", "uv.lock"))
    make_unpackaged(folder)
    unpackaged = Service(folder, service.env)

    unpackaged.run("uv sync")
    assert not list((folder / ".venv").glob("lib/python*/site-packages/my_service*"))
    unpackaged.run("uv run pytest --cov")
    unpackaged.run("uv run mypy")
    with serving(unpackaged, tmp_path) as address, urllib.request.urlopen(address, timeout=10) as answer:
        assert json.load(answer)["version"] == "1"


def test_no_package_can_have_the_name_of_a_dependency(service):
    (site,) = (service.folder / ".venv/lib").glob("python*/site-packages")
    for distribution in Distribution.discover(path=[str(site)]):
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if name == "my-service":
            continue
        assert names.check_distribution_name(name), f"{name} is a dependency, and accepted as distribution name"
        modules = {
            Path(file.parts[0]).name.partition(".")[0]
            for file in distribution.files or []
            if file.parts[0] not in {"..", "__pycache__"} and not file.parts[0].endswith((".dist-info", ".pth"))
        }
        for module in modules:
            if re.fullmatch(r"[a-z][a-z0-9_]*", module) and not module.endswith("__mypyc"):
                assert names.check_package_name(module), f"{name} imports as {module}, and that is accepted"
