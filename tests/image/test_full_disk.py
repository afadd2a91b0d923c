"""A full disk makes a build fail with a clear reason."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import BuildError, build, exists
from machine import ENGINE
from support import missing

PRIVATE_ROOT = Path(os.environ.get("ENGINE_HOME", "/var/tmp/uv-docker-template-engine")) / "root"
SIZE = "300m"
FREE = 40_000_000  # bytes beside the base images, too few for Python and the lists of packages


@pytest.fixture
def small_engine(image, service, tmp_path_factory) -> Iterator[dict[str, str]]:
    """Start a second engine with the programs and images of the first, and a small disk; yield its environment."""
    if os.geteuid() or not PRIVATE_ROOT.is_dir():
        missing("a small disk requires root, and the private engine of tools/engine")
    home = Path("/var/tmp") / f"uv-docker-template-small-{os.getpid()}"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", home], check=True)
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    bases = [
        name.split("=", 1)[1] for name in (service.folder / "Dockerfile").read_text().splitlines() if "_IMAGE=" in name
    ]
    subprocess.run(["docker", "save", f"--output={archive}", *bases], check=True)
    env = {**os.environ, "ENGINE_HOME": str(home), "DOCKER_HOST": "unix:///nonexistent"}
    try:
        for name in ("root", "bin", "config"):
            (home / name).symlink_to(PRIVATE_ROOT.with_name(name))
        start = f'{ENGINE} start && eval "$({ENGINE} env)" && env -0'
        started = subprocess.run(["bash", "-c", start], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
        small = dict(line.split("=", 1) for line in started.rstrip("\0").split("\0"))
        subprocess.run(["docker", "load", "--quiet", f"--input={archive}"], env=small, check=True, capture_output=True)
        status = os.statvfs(home)
        with (home / "filler").open("w") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - FREE)
        yield small
    finally:
        subprocess.run([ENGINE, "stop"], env=env, check=False)
        subprocess.run(["umount", "--lazy", home], check=True)
        home.rmdir()


def test_full_disk_is_named_and_nothing_half_made_is_tagged(small_engine, service, monkeypatch):
    for name, text in small_engine.items():
        monkeypatch.setenv(name, text)

    with pytest.raises(BuildError) as caught:
        build(service.folder, "my-service")

    assert "no space left on device" in str(caught.value).lower()
    assert not exists("my-service")
