"""Images are tested only on an engine with reliable results."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import TEMPLATE, engine

# A client that simulates an engine whose `docker exec` runs commands on the machine instead of in the container.
OUTSIDE = """#!/bin/sh
[ "$1" != exec ] || { shift 2 && exec "$@"; }
exec "$DOCKER" "$@"
"""


@pytest.fixture
def broken_engine(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user whose engine runs `docker exec` outside of the container."""
    client = tmp_path / "bin/docker"
    client.parent.mkdir()
    client.write_text(OUTSIDE, encoding="utf-8")
    client.chmod(0o755)
    path = f"{client.parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "DOCKER": shutil.which("docker"), "PATH": path}
    if address := os.environ.get("DOCKER_HOST", "").removeprefix("unix://"):
        # At another path, tools/engine considers its private engine an ordinary one.
        (tmp_path / "docker.sock").symlink_to(address)
        env["DOCKER_HOST"] = f"unix://{tmp_path}/docker.sock"
    return env


def test_nothing_is_tested_on_an_engine_whose_exec_stays_outside_of_containers(broken_engine, template_clone, tmp_path):
    # In a clone, because a session removes files of earlier sessions in its folder.
    clone = tmp_path / "clone"
    shutil.copytree(template_clone, clone)
    shutil.copy(TEMPLATE / "uv.lock", clone)

    command = [sys.executable, "-m", "pytest", "tests/image/test_full_disk.py"]
    session = subprocess.run(command, cwd=clone, env=broken_engine, check=False, capture_output=True, text=True)

    assert "this engine runs `docker exec` outside of the container" in session.stdout, session.stdout + session.stderr
    assert "1 error in" in session.stdout


def test_a_stand_in_with_packages_of_ubuntu_is_used_only_where_its_mirror_is_named(tmp_path, monkeypatch):
    mirror = "http://ubuntu.example"
    nothing = tmp_path / "nothing.tar"
    subprocess.run(["tar", "--create", "--files-from=/dev/null", f"--file={nothing}"], check=True)
    image = "ubuntu:stand-in-of-a-test"
    subprocess.run(["docker", "import", f"--change=LABEL stand-in={mirror}", nothing, image], check=True)
    try:
        monkeypatch.delenv("ENGINE_UBUNTU_MIRROR", raising=False)
        with pytest.raises(subprocess.CalledProcessError):
            engine("stand-ins", image)
        monkeypatch.setenv("ENGINE_UBUNTU_MIRROR", mirror)
        engine("stand-ins", image)
    finally:
        subprocess.run(["docker", "rmi", image], check=True)
