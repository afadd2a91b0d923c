"""The packages of each platform and server exist in its package lists and can be installed together."""

import functools
import os
import re
import subprocess
from itertools import product

import choices
import pytest
from archives import SUITES, lists

STACKS = [
    pytest.param(choices.PLATFORMS[name], SUITES[name], server, id=f"{name}-{server_name}")
    for name, (server_name, server) in product(SUITES, choices.SERVERS.items())
]


def real_names(packages: tuple[str, ...]) -> set[str]:
    """Return the packages that apt installs for these names: Ubuntu 24.04 renamed one, which provides its old name."""
    return {re.sub(r"^libpython3\.12$", "libpython3.12t64", name) for name in packages}


@functools.cache
def install(suite: str, *packages: str) -> dict[str, str]:
    """Simulate an installation without any installed packages; return the packages with their versions."""
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", *packages]
    env = {**os.environ, "APT_CONFIG": lists(suite), "LC_ALL": "C"}
    result = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return dict(re.findall(r"^Inst (\S+) \((\S+) ", result.stdout, re.MULTILINE))


def both(platform: choices.Platform, suite: str, server: choices.Server) -> tuple[dict[str, str], dict[str, str]]:
    """Return the packages in the build stage and in the runtime image."""
    packages = platform.packages_for(server)
    return install(suite, "ca-certificates", *packages.build), install(suite, *packages.run)


def test_every_platform_is_checked():
    assert list(SUITES) == list(choices.PLATFORMS)


@pytest.mark.parametrize(("platform", "suite", "server"), STACKS)
def test_packages_exist_and_can_be_installed(platform, suite, server):
    packages = platform.packages_for(server)
    build, run = both(platform, suite, server)

    assert build.keys() >= real_names(packages.build)
    assert run.keys() >= real_names(packages.run)


@pytest.mark.parametrize(("platform", "suite", "server"), STACKS)
def test_libraries_at_run_time_are_those_of_the_build(platform, suite, server):
    """The headers in the build stage bring the libraries that the server is linked to."""
    build, run = both(platform, suite, server)

    assert set(run.items()) <= set(build.items())


@pytest.mark.parametrize(("platform", "suite", "server"), STACKS)
def test_installed_python_has_the_platforms_version(platform, suite, server):
    for installed in both(platform, suite, server):
        pythons = {name: version for name, version in installed.items() if re.match("(lib)?python3", name)}
        if platform.has_python:
            assert not pythons, "the system's Python would come beside the image's own"
        else:
            assert f"python{platform.python}" in pythons
            assert [name for name, version in pythons.items() if not version.startswith(platform.python)] == []


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_init_for_commands_can_be_installed(suite):
    assert "tini" in install(suite, "tini")
