"""What all measurements use: the engine, services and images."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import ENGINE, run

TEMPLATE = Path(__file__).resolve().parent.parent
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def scaffold(folder: Path, **answers: str) -> None:
    """Make a service from this working tree, including uncommitted changes."""
    options = ["--quiet", "--trust", "--defaults", "--vcs-ref=HEAD", "--data=dockerfile_syntax="]
    options += [f"--data={name}={answer}" for name, answer in answers.items()]
    run([sys.executable, "-W", "ignore", "-m", "copier", "copy", *options, str(TEMPLATE), str(folder)])


def base_images(folder: Path) -> list[str]:
    """Return the images that a service's Dockerfile is based on, after providing them."""
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", (folder / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    run([str(ENGINE), "stand-ins", *images])
    return images


def build(folder: Path, tag: str, *options: str) -> None:
    """Build an image; by default, from the folder's Dockerfile."""
    secret = [f"--secret=id=ca-certificates,src={CERTIFICATES}"] if CERTIFICATES.is_file() else []
    docker("build", "--quiet", *secret, f"--tag={tag}", *options, str(folder))


def docker(*arguments: str) -> str:
    """Run the engine's client and return its output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def engine(*, ordinary: bool) -> Iterator[str]:
    """Provide an engine and a registry; yield the registry's address."""
    if not ordinary:
        # Don't empty the ordinary engine's build cache.
        os.environ["DOCKER_HOST"] = "unix:///nonexistent"
    run([str(ENGINE), "start"])
    printed = subprocess.run([str(ENGINE), "env"], check=True, capture_output=True, text=True).stdout
    for name, text in re.findall(r"^export (\w+)=(.*)$", printed, re.MULTILINE):
        os.environ[name] = text.replace('"$PATH"', os.environ["PATH"])
    ours = subprocess.run([str(ENGINE), "registry", "address"], capture_output=True).returncode
    run([str(ENGINE), "registry", "start"])
    try:
        yield subprocess.run(
            [str(ENGINE), "registry", "address"], check=True, capture_output=True, text=True
        ).stdout.strip()
    finally:
        if ours:
            run([str(ENGINE), "registry", "stop"])


def describe() -> dict[str, object]:
    """Return facts about the machine and the engine."""
    info = json.loads(docker("info", "--format={{json .}}"))
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return {
        "processor": next(iter(models), platform.machine()),
        "cores": os.cpu_count(),
        "memory": info["MemTotal"],
        "kernel": info["KernelVersion"].partition("-")[0],
        "engine": info["ServerVersion"],
        "storage": info["Driver"],
    }
