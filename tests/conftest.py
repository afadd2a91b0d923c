"""Fixtures for all tests: services rendered from the working tree, independent of the user's configuration."""

import functools
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import plumbum
import pytest
from choices import PLATFORMS
from copier import run_copy
from machine import ENGINE, MissingError, service_python
from pythons import find_python
from support import (
    QUESTIONS,
    TEMPLATE,
    Render,
    Service,
    engine,
    exec_enters_containers,
    missing,
    readme_command,
)
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Files on a package index never change, and PyPI's headers declare that. If a mirror or proxy drops these headers, uv
# fetches and compiles the same files again and again.
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
    if not hasattr(config, "workerinput"):
        ENGINE_STARTED.unlink(missing_ok=True)  # left by a session that was killed
        # The index in the lock of these tests' own packages.
        index = tomllib.loads((TEMPLATE / "uv.lock").read_text(encoding="utf-8"))["package"][0]["source"]["registry"]
        folder = TEMPLATE / ".pytest_cache" / "configuration" / "uv"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uv.toml").write_text(UV_CONFIGURATION.format(index=index), encoding="utf-8")
    home = TEMPLATE / "tests" / "home"
    for environment in (os.environ, plumbum.local.env):
        environment["GIT_CONFIG_GLOBAL"] = str(home / "gitconfig")
        environment["GIT_CONFIG_SYSTEM"] = os.devnull
        environment["COPIER_SETTINGS_PATH"] = str(home / "copier-settings.yml")
        for name in ("UV", "VIRTUAL_ENV"):
            environment.pop(name, None)
        environment["XDG_CONFIG_DIRS"] = str(TEMPLATE / ".pytest_cache" / "configuration")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the private engine if this session started it, after all workers have finished."""
    if not hasattr(session.config, "workerinput") and ENGINE_STARTED.exists():
        ENGINE_STARTED.unlink()
        engine("stop")


class FolderScheduling(LoadScopeScheduling):
    """Schedules tests that share something expensive on one worker: a folder, or the service in their parameters."""

    def _split_scope(self, nodeid: str) -> str:
        _, folder, *_ = nodeid.split("/")
        if folder in {"combinations", "foreign", "render"}:
            return nodeid.partition("[")[2] or nodeid
        return nodeid.partition("::")[0] if folder == "extensions" else folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    """Replace `--dist loadgroup`, whose groups pytest-xdist 3.8.0 ignores with pytest 9.2.0."""
    return FolderScheduling(config, log)


@pytest.fixture(scope="session")
def use_engine() -> None:
    """Use the running engine, else start a private one, which is stopped at the end of the session."""
    answered = subprocess.run([ENGINE, "status"], check=False, capture_output=True).returncode == 0
    if not answered:
        ENGINE_STARTED.parent.mkdir(exist_ok=True)
        ENGINE_STARTED.touch()
        if subprocess.run([ENGINE, "start"], check=False).returncode:
            missing("no container engine is running, and tools/engine can't start one here: it needs root on Debian")
    environment = subprocess.run(
        ["bash", "-c", 'eval "$("$0" env)" && env -0', ENGINE],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    os.environ.update(line.split("=", 1) for line in environment.rstrip("\0").split("\0"))
    image = PLATFORMS["debian-13"].base_image
    engine("stand-ins", image)
    if not exec_enters_containers(image):
        pytest.fail(
            "this engine runs `docker exec` outside of the container, so nothing can be tested on it: use another"
        )


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
    """Copy the files that render a service, without history: Copier doesn't clone them, which takes half the time."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(TEMPLATE / "copier.yml", folder)
    for name in ("extensions", "stacks", "tasks", "template"):
        shutil.copytree(TEMPLATE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="session")
def render(copie_session, template_files: Path, without_uv: str) -> Render:
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
        with pytest.raises(ValueError, match="Validation error") as caught:
            run_copy(str(template_files), folder, data=answers, defaults=True, unsafe=True, quiet=True)
        assert not folder.exists()
        return str(caught.value)

    return refuse


@pytest.fixture(scope="session")
def user_env_for() -> Callable[[str], dict[str, str]]:
    """Return the environment of a user who has uv and a Python of the given version."""

    @functools.cache
    def python_for(version: str) -> tuple[str, bool]:
        try:
            return service_python(version), bool(find_python(version, "uv"))
        except MissingError as error:
            missing(str(error))

    def user_env_for(version: str) -> dict[str, str]:
        python, found_by_uv = python_for(version)
        # Not cached: an engine may have been started since.
        env = {**os.environ, "UV_PYTHON": python}
        if not found_by_uv:  # It was made for the tests, and uv doesn't find it by itself.
            env["PATH"] = f"{Path(python).parent}{os.pathsep}{env['PATH']}"
        return env

    return user_env_for


@pytest.fixture(scope="session")
def user_env(user_env_for: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """Return the environment of a user who has uv and the default service's Python."""
    return user_env_for("3.13")


@pytest.fixture(scope="session")
def template_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone the template and commit the working tree, without tags: Copier would use the newest one instead."""
    clone = tmp_path_factory.mktemp("clone") / "uv-docker-template"
    git = ["git", "-C", str(clone)]
    subprocess.run(["git", "clone", "--quiet", "--no-tags", TEMPLATE, clone], check=True)
    subprocess.run([*git, f"--work-tree={TEMPLATE}", "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=As it is"], check=True)
    subprocess.run([*git, "reset", "--quiet", "--hard"], check=True)
    return clone


@pytest.fixture(scope="session")
def scaffold(
    tmp_path_factory: pytest.TempPathFactory, template_clone: Path, user_env_for: Callable[[str], dict[str, str]]
) -> Callable[..., Service]:
    """Make a service with the README's command: it has a lock, but no environment yet."""

    def scaffold(**answers: str) -> Service:
        platform = PLATFORMS.get(answers.get("platform", "debian-13"))
        user_env = user_env_for(platform.python if platform else answers.get("python_version", "3.13"))
        folder = tmp_path_factory.mktemp("service")
        data = [f"--data={name}={answer}" for name, answer in answers.items()]
        copy = subprocess.run(
            [*readme_command(template_clone), "--defaults", *data],
            cwd=folder,
            # Copier itself may run on any Python: this one is available.
            env={**user_env, "UV_PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
        assert copy.returncode == 0, copy.stderr
        return Service(folder / "myapp", user_env)

    return scaffold
