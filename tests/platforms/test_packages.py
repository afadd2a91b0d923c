"""The packages of each platform exist in its package lists and can be installed."""

import os
import re
import subprocess

import choices
import pytest
from archives import SUITES, lists


def install(suite: str, *packages: str) -> dict[str, str]:
    """Simulate an installation without any installed packages; return the packages with their versions."""
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", *packages]
    env = {**os.environ, "APT_CONFIG": lists(suite), "LC_ALL": "C"}
    result = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return dict(re.findall(r"^Inst (\S+) \((\S+) ", result.stdout, re.MULTILINE))


def test_every_platform_is_checked():
    assert list(SUITES) == list(choices.PLATFORMS)


@pytest.mark.parametrize("name", SUITES)
def test_packages_can_be_installed_and_bring_the_platforms_python(name):
    platform = choices.PLATFORMS[name]

    # What the build stages and the runtime image install.
    installed = install(SUITES[name], "ca-certificates", "tini", *platform.packages)

    assert installed.keys() >= {"ca-certificates", "tini", *platform.packages}
    pythons = {package: version for package, version in installed.items() if re.match("(lib)?python3", package)}
    if platform.has_python:
        assert not pythons, "the system's Python would come beside the image's own"
    else:
        assert f"python{platform.python}" in pythons
        assert [package for package, version in pythons.items() if not version.startswith(platform.python)] == []
