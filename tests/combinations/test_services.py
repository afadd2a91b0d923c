"""Every framework on every server and Python: it locks, installs, passes its own checks and serves."""

import json
import re
import shlex
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path

import names
import pytest
from demo import free_port, wait_until_ready
from offered import PAIRS, can_be_compiled_here, install
from support import Service

# One platform for each Python: others with the same have the same files, but for the image's. See tests/render/.
PLATFORMS = ["debian-13", "debian-12", "ubuntu-24.04", "ubuntu-26.04"]
# The default one has tests of its own.
COMBINATIONS = [
    (platform, *pair)
    for platform in PLATFORMS
    for pair in PAIRS
    if (platform, *pair) != ("debian-13", "flask", "uwsgi")
]
# What a Django service can't start without.
NEEDED = {"django": {"SECRET_KEY": 10 * "secret", "DATABASE_URL": "sqlite://:memory:"}}


SERVED = [combination for combination in COMBINATIONS if can_be_compiled_here(combination[0], combination[2])]

# Writes the settings that a server knows. Granian and Uvicorn read those of their options from variables.
LIST_SETTINGS = {
    "granian": "from granian.cli import cli; print(*(f'GRANIAN_{option.name.upper()}' for option in cli.params))",
    "gunicorn": "from gunicorn.config import make_settings; print(*make_settings())",
    "uvicorn": "from uvicorn.main import main; print(*(f'UVICORN_{option.name.upper()}' for option in main.params))",
}


# Writes the options that such a server is started with.
SHOW_OPTIONS = {
    "granian": "from granian.cli import cli; print(cli.make_context('', ['x'], auto_envvar_prefix='GRANIAN').params)",
    "uvicorn": "from uvicorn import main; print(main.make_context('', ['x'], auto_envvar_prefix='UVICORN').params)",
}


@pytest.fixture(scope="module")
def service(request, scaffold: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Make and install a service."""
    platform, framework, server = request.param
    service = install(scaffold(platform=platform, framework=framework, server=server), platform, server)
    # mypy compares what it has cached with what is there: what services share is checked once.
    cache = str(tmp_path_factory.getbasetemp() / "mypy")
    env = {**service.env, **NEEDED.get(framework, {}), "MYPY_CACHE_DIR": cache}
    return Service(service.folder, env)


@pytest.mark.parametrize("service", COMBINATIONS, ids="-".join, indirect=True)
def test_own_checks_pass(service):
    for command in ("uv run pytest --cov", "uv run ruff check", "uv run ruff format --check", "uv run mypy"):
        assert f"$ {command}\n" in (service.folder / "README.md").read_text(encoding="utf-8")
        service.run(command)


@pytest.mark.parametrize("service", SERVED, ids="-".join, indirect=True)
def test_serves_and_stops_as_its_readme_says(service, tmp_path):
    readme = (service.folder / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if line.startswith("$ uv run ") and "etc/" in line)
    port = str(free_port())
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen(
            f"exec {command[2:]}",
            shell=True,
            cwd=service.folder,
            env={**service.env, "PORT": port},
            stdout=log,
            stderr=log,
            process_group=0,
        )
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=10) as answer:
                assert json.load(answer) == {"title": "My Service", "name": "my-service", "version": "0.1.0"}
            # uv hands it on to the server, but not to its workers: these are the server's to stop.
            server.terminate()
            assert server.wait(timeout=120) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
        finally:
            server.kill()
            print((tmp_path / "log").read_text())


@pytest.mark.parametrize(
    "service", [combination for combination in SERVED if combination[-1] in LIST_SETTINGS], ids="-".join, indirect=True
)
def test_server_knows_each_of_its_settings(service):
    """One that is misspelt would be ignored."""
    files = {file.name.partition(".")[0]: file for file in (service.folder / "etc").iterdir()}
    (server,) = LIST_SETTINGS.keys() & files.keys()
    settings = re.findall(r"^(?:def )?(\w+)(?: = |=|\()", files[server].read_text(encoding="utf-8"), re.MULTILINE)
    assert len(settings) > 5
    known = service.run(f"uv run python -c {shlex.quote(LIST_SETTINGS[server])}").split()
    assert [setting for setting in settings if setting not in known] == []


@pytest.mark.parametrize(
    "service", [combination for combination in SERVED if combination[-1] in SHOW_OPTIONS], ids="-".join, indirect=True
)
def test_variables_that_are_not_set_leave_the_servers_defaults(service):
    (file,) = (service.folder / "etc").glob("*.env")
    show = f"uv run --env-file etc/{file.name} python -c {shlex.quote(SHOW_OPTIONS[file.stem])}"

    assert "'port': 8000," in service.run(show)
    options = service.run(show, PORT="8001", WEB_CONCURRENCY="3", WEB_THREADS="5")
    assert "'port': 8001," in options
    if file.stem == "granian":  # Uvicorn reads WEB_CONCURRENCY when it has read its options.
        assert "'workers': 1," in service.run(show)
        assert "'workers': 3," in options
        threads = 5 if "GRANIAN_INTERFACE=wsgi" in file.read_text(encoding="utf-8") else None
        assert f"'blocking_threads': {threads}," in options


@pytest.mark.parametrize("service", COMBINATIONS, ids="-".join, indirect=True)
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
            if module.isidentifier() and module.islower() and not module.endswith("__mypyc"):
                assert names.check_package_name(module), f"{name} imports as {module}, and that is accepted"
