"""Fixtures for all tests: services rendered from the working tree, and their images, each made once."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pages
import plumbum
import pytest
from containers import build_image, docker
from copier import run_copy
from machine import MissingError, service_python
from support import DEFAULT_SERVERS, ENGINE, QUESTIONS, TEMPLATE, Service, locked, missing

# The tests of other teams' services.
collect_ignore = ["foreign"]
# Files on a package index never change. If a mirror or proxy drops the headers that say so, uv fetches them again.
UV_CONFIGURATION = """
[[index]]
url = "{index}"
default = true
cache-control = {{ files = "max-age=31536000, immutable" }}
"""
# Made by whichever worker starts the engine; all of them have the same parent.
ENGINE_STARTED = TEMPLATE / ".pytest_cache" / "engine-started"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a release be tested with more than every change is."""
    parser.addoption("--slow", action="store_true", help="run the tests that are marked as slow, too: `make test-all`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a release is tested with."""
    if not config.getoption("slow"):
        left_out = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_configure(config: pytest.Config) -> None:
    """Ignore the developer's own settings, in this process and in Copier's snapshot of its environment."""
    configuration = TEMPLATE / ".pytest_cache" / "configuration"
    if not hasattr(config, "workerinput"):
        ENGINE_STARTED.unlink(missing_ok=True)  # left by a session that was killed
        (configuration / "uv").mkdir(parents=True, exist_ok=True)
        # The index that the environment of these tests was locked with.
        lock = tomllib.loads((TEMPLATE / "uv.lock").read_text(encoding="utf-8"))
        index = lock["package"][0]["source"]["registry"]
        (configuration / "uv/uv.toml").write_text(UV_CONFIGURATION.format(index=index), encoding="utf-8")
        # Where uv finds the services' Pythons. It may be unable to download them.
        for version in ("3.13", "3.14") if config.getoption("slow") else ("3.13",):
            with suppress(MissingError):
                os.environ["PATH"] += os.pathsep + str(Path(service_python(version)).parent)
    home = TEMPLATE / "tests" / "home"
    for environment in (os.environ, plumbum.local.env):
        environment["GIT_CONFIG_GLOBAL"] = str(home / "gitconfig")
        environment["GIT_CONFIG_SYSTEM"] = os.devnull
        environment["COPIER_SETTINGS_PATH"] = str(home / "copier-settings.yml")
        environment["XDG_CONFIG_DIRS"] = str(configuration)
        for name in ("UV", "VIRTUAL_ENV"):
            environment.pop(name, None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the private engine if this session started it, after all workers have finished."""
    if not hasattr(session.config, "workerinput") and ENGINE_STARTED.exists():
        ENGINE_STARTED.unlink()
        subprocess.run([ENGINE, "stop"], check=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def use_engine() -> None:
    """Use the running container engine, else start a private one, which is stopped at the end of the session."""
    if subprocess.run([ENGINE, "status"], check=False, capture_output=True).returncode:
        ENGINE_STARTED.touch()
        if subprocess.run([ENGINE, "start"], check=False).returncode:
            missing("no container engine is running, and tools/engine can't start one here: it needs root on Debian")
    printed = subprocess.run(
        ["bash", "-c", 'eval "$("$0" env)" && env -0', ENGINE], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    os.environ.update(line.split("=", 1) for line in printed.rstrip("\0").split("\0"))
    subprocess.run([ENGINE, "stand-ins", "debian:trixie-slim"], check=True)
    # On an engine in a chroot, `docker exec` and health checks run outside of the container: all results are false.
    container = docker("run", "--detach", "--rm", "--hostname=inside", "debian:trixie-slim", "sleep", "60")
    inside = docker("exec", container, "cat", "/etc/hostname")
    docker("rm", "--force", container)
    assert inside == "inside", "this engine runs `docker exec` outside of the container: use another"


@pytest.fixture(scope="session")
def without_uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a PATH with all programs of the machine except uv: rendering with it needs no network."""
    folder = tmp_path_factory.mktemp("bin")
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            if program.name not in {"uv", "uvx"} and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)


@pytest.fixture(scope="session")
def template_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files that render a service, without history: Copier would clone it, which takes half the time."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(TEMPLATE / "copier.yml", folder)
    for name in ("extensions", "stacks", "tasks", "template"):
        shutil.copytree(TEMPLATE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="session")
def render(copie_session, template_files: Path, without_uv: str) -> Callable[..., Path]:
    """Render a service without a lock. Services with the same answers are rendered once; tests must not change them."""
    made: dict[tuple, Path] = {}

    def render(**answers: str) -> Path:
        if unknown := answers.keys() - QUESTIONS:
            raise ValueError(f"copier.yml asks no such question: {', '.join(unknown)}")
        key = tuple(sorted(answers.items()))
        if key not in made:
            with plumbum.local.env(PATH=without_uv):
                result = copie_session.copy(extra_answers=answers, template_dir=template_files)
            if result.exception:
                raise result.exception
            made[key] = result.project_dir
        return made[key]

    return render


@pytest.fixture
def refuse(template_files: Path, tmp_path: Path) -> Callable[..., str]:
    """Return the message of a copy that refuses *answers*, after checking that nothing was written."""

    def refuse(**answers: str) -> str:
        folder = tmp_path / "refused"
        with pytest.raises(ValueError, match=r"Validation error|Invalid choice") as caught:
            run_copy(str(template_files), folder, data=answers, defaults=True, unsafe=True, quiet=True)
        assert not folder.exists()
        return str(caught.value)

    return refuse


@pytest.fixture(scope="session")
def scaffold(tmp_path_factory: pytest.TempPathFactory, template_files: Path) -> Callable[..., Service]:
    """Make a service with its lock, in a folder of its own. It has no environment yet."""

    def scaffold(**answers: str) -> Service:
        folder = tmp_path_factory.mktemp("service") / "myapp"
        data = [f"--data={name}={answer}" for name, answer in answers.items()]
        copier = [sys.executable, "-m", "copier", "copy", "--quiet", "--trust", "--defaults", *data]
        result = subprocess.run([*copier, template_files, folder], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert (folder / "uv.lock").exists(), result.stderr
        return Service(folder, {**os.environ})

    return scaffold


@pytest.fixture(scope="session")
def build(scaffold: Callable[..., Service], use_engine: None, shared_folder: Path) -> Callable[..., str]:
    """Build a service's image once for all workers, with the pages in pages.py, and return its tag."""

    def build(with_pages: bool = True, **answers: str) -> str:
        answers = {"framework": "flask", "dockerfile_syntax": "", **answers}
        answers.setdefault("server", DEFAULT_SERVERS[answers["framework"]])
        name = hashlib.sha256(repr((with_pages, sorted(answers.items()))).encode()).hexdigest()[:12]
        tag, made = f"test-{name}", shared_folder / f"image-{name}"
        with locked(shared_folder / f"{made.name}.lock"):
            if not made.exists():
                service = scaffold(**answers)
                if with_pages:
                    pages.add(service.folder, answers["framework"])
                build_image(service.folder, tag)
                made.write_text(str(service.folder), encoding="utf-8")
        return tag

    return build
