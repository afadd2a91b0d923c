"""The image: how it is built, and what is in it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from containers import build_image, docker, running, wait_until
from support import CERTIFICATES, Service, commit, edit


@pytest.fixture(scope="module")
def service(scaffold: Callable[..., Service], use_engine: None) -> Service:
    """Make the default service."""
    return scaffold(dockerfile_syntax="")


@pytest.fixture(scope="module")
def image(service: Service) -> str:
    """Build the default service's image."""
    return build_image(service.folder, "test-build")


@pytest.fixture
def copy(service: Service, image: str, tmp_path: Path) -> Path:
    """Copy the service, for a test that changes it. Unchanged steps are in the engine's cache."""
    return Path(shutil.copytree(service.folder, tmp_path / "service"))


def run(image: str, script: str, *options: str) -> str:
    """Run a script of the shell in a container."""
    return docker("run", "--rm", *options, image, "sh", "-ec", script)


def test_changed_code_adds_one_layer_and_needs_no_network(copy: Path) -> None:
    secret = f"--secret=id=ca-certificates,src={CERTIFICATES}"
    build = ["docker", "build", "--progress=plain", secret, "--tag=test-build-changed", str(copy)]
    # Names of its own for the base images: while builds share the step that loads one, BuildKit misses what it has cached.
    for argument, image in re.findall(r"^ARG (\w+_IMAGE)=(\S+)", (copy / "Dockerfile").read_text(), re.MULTILINE):
        docker("tag", image, name := f"test-{argument.lower()}")
        build.append(f"--build-arg={argument}={name}")

    def steps_not_cached(*options: str) -> list[str]:
        done = subprocess.run(
            [*build, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        steps = dict(re.findall(r"^#(\d+) \[\S+ +\d+/\d+\] (?!FROM)(.*)$", done.stdout, re.MULTILINE))
        for cached in re.findall(r"^#(\d+) CACHED$", done.stdout, re.MULTILINE):
            steps.pop(cached, None)
        return list(steps.values())

    wait_until(lambda: not steps_not_cached(), "a build of which all is cached")
    edit(copy / "src/my_service/app.py", ('"""The application."""', f'"""The application {uuid4()}."""'))

    # Predefined build arguments are no part of the cache's key, and these proxies accept no connection.
    (step,) = steps_not_cached(*(f"--build-arg={name}_PROXY=http://127.0.0.1:9" for name in ("HTTP", "HTTPS")))
    assert step.startswith("RUN --mount=type=secret")
    history = docker("history", "--format={{.Size}}", "--human=false", "test-build-changed").splitlines()
    assert max(size for size in map(int, history[:6])) < 100_000, history


def test_outdated_lock_stops_the_build(copy: Path) -> None:
    edit(copy / "pyproject.toml", ('"flask>=', '"click>=8.1",\n    "flask>='))

    with pytest.raises(AssertionError, match="needs to be updated"):
        build_image(copy, "test-build-outdated")


def test_application_that_cannot_be_imported_stops_the_build(copy: Path) -> None:
    edit(copy / "src/my_service/app.py", ("import environ\n", "import environ\nimport no_such_module\n"))

    with pytest.raises(AssertionError, match="no_such_module"):
        build_image(copy, "test-build-broken")


def test_image_has_no_tools_of_the_build(image: str) -> None:
    for program in ("uv", "gcc", "pip", "curl"):
        assert run(image, f"command -v {program} || echo none") == "none"


def test_image_keeps_no_secret_cache_or_list(image: str) -> None:
    for folder in ("/root/.cache", "/var/lib/apt/lists", "/var/cache", "/var/log", "/etc/ssl/certs"):
        assert run(image, f"find {folder} -type f 2>/dev/null || true", "--user=0") == ""


def test_only_root_can_change_the_image(image: str) -> None:
    writable = run(
        image, "find / -xdev ! -type l ! -type c '(' -perm -o+w ! -perm -1000 -o ! -user root ')'", "--user=0"
    )
    special = run(image, "find / -xdev -type f -perm /6000", "--user=0")

    assert (writable, special) == ("", "")


@pytest.mark.parametrize("umask", ["077", "000"])
def test_umask_of_the_checkout_does_not_matter(umask: str, copy: Path) -> None:
    mode = {"077": "u=rwX,go=", "000": "a+rwX"}[umask]
    subprocess.run(["chmod", "-R", mode, copy], check=True)
    image = build_image(copy, f"test-build-umask-{umask}")

    with running(image) as container:
        assert container.status("/") == 200
    assert run(image, "find /app /docker-entrypoint.sh -perm /022 ! -type l", "--user=0") == ""


def test_byte_code_is_compiled_and_not_checked_against_file_times(image: str) -> None:
    script = (
        "import importlib.util, pathlib, sys\n"
        "files = [p for p in pathlib.Path('/app/lib').rglob('*.py') if 'site-packages' in str(p)]\n"
        "flags = {p: pathlib.Path(importlib.util.cache_from_source(str(p))) for p in files}\n"
        "print([str(p) for p, c in flags.items() if not c.exists() or c.read_bytes()[4] != 1])"
    )
    assert docker("run", "--rm", image, "python", "-c", script) == "[]"


def test_first_process_forwards_signals_for_every_command(image: str) -> None:
    with running(image, command=("sleep", "infinity"), ready=False) as container:
        container.wait_until_signals_arrive().kill()

        assert container.exit_status() == 0


def test_arguments_with_a_dash_go_to_the_server(image: str) -> None:
    assert "uwsgi" in docker("run", "--rm", image, "--help").lower()


def test_other_arguments_are_a_command_with_its_words_kept(image: str) -> None:
    assert docker("run", "--rm", image, "printf", "%s|", "a b", "*") == "a b|*|"


def test_health_check_ignores_the_environments_proxies(image: str) -> None:
    with running(image, "--env=http_proxy=http://127.0.0.1:9", "--env=HTTP_PROXY=http://127.0.0.1:9") as container:
        wait_until(lambda: container.inspect("State.Health.Status") == "healthy")


BACKENDS = {
    "setuptools": ("setuptools>=80", "setuptools.build_meta", ""),
    "hatchling": ("hatchling>=1.27", "hatchling.build", ""),
    "flit": ("flit_core>=3.12", "flit_core.buildapi", '[tool.flit.module]\nname = "my_service"\n'),
    "poetry": ("poetry-core>=2.1", "poetry.core.masonry.api", ""),
}


@pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=[] if name == "setuptools" else [pytest.mark.slow]) for name in BACKENDS]
)
def test_other_build_backends_work(backend: str, copy: Path) -> None:
    requirement, module, table = BACKENDS[backend]
    edit(
        copy / "pyproject.toml",
        (r'requires = \["uv_build[^\n]*', f'requires = ["{requirement}"]'),
        (r'build-backend = "uv_build"', f'build-backend = "{module}"'),
        (r"\[tool.uv.build-backend\]\nmodule-name = [^\n]*\n", table),
        # Not every backend knows an expression that no list has.
        (r'license = "LicenseRef-Proprietary"\n', ""),
    )

    with running(build_image(copy, f"test-build-{backend}")) as container:
        assert container.status("/") == 200


def test_package_with_a_compiler_needs_one_line_in_each_stage(copy: Path, service: Service) -> None:
    """The recipe in docs/operations.md: uWSGI from source instead of the wheel."""
    changed = Service(copy, service.env)
    changed.run("uv remove --no-sync pyuwsgi")
    changed.run("uv add --no-sync uwsgi")
    edit(
        copy / "Dockerfile",
        (r"    ca-certificates\n", "    ca-certificates gcc libc6-dev python3.13-dev libpcre2-dev\n"),
        (r"    tini\n", "    tini libpython3.13 libpcre2-8-0\n"),
    )

    with running(build_image(copy, "test-build-native")) as container:
        # Its route rules need pcre.
        assert container.send(b'"GET" / HTTP/1.1\r\nHost: localhost\r\n\r\n').startswith(b"HTTP/1.1 400")
        assert run("test-build-native", "command -v gcc || echo none") == "none"


@pytest.mark.slow
def test_version_from_git_is_a_build_argument(copy: Path, service: Service) -> None:
    """The recipe in docs/operations.md."""
    edit(
        copy / "pyproject.toml",
        (r'version = "0.1.0"\n', 'dynamic = ["version"]\n'),
        (r'requires = \["uv_build[^\n]*', 'requires = ["hatchling>=1.27", "hatch-vcs>=0.5"]'),
        (r'build-backend = "uv_build"', 'build-backend = "hatchling.build"'),
        (r"\[tool.uv.build-backend\]\nmodule-name = [^\n]*\n", '[tool.hatch.version]\nsource = "vcs"\n'),
    )
    pretend = "SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION"
    edit(
        copy / "Dockerfile",
        (r"(# The application: a changed line)", r"ARG VERSION=0\n\n\1"),
        (r"\nuv pip install", f"\n{pretend} uv pip install"),
    )
    commit(copy)
    Service(copy, service.env).run("uv lock")

    with running(build_image(copy, "test-build-version", "--build-arg=VERSION=4.5.6")) as container:
        assert container.request("/").json["version"] == "4.5.6"


@pytest.mark.slow
def test_folder_and_group_are_installed(copy: Path, service: Service) -> None:
    """The recipes in docs/operations.md."""
    changed = Service(copy, service.env)
    changed.run("uv init --lib --no-workspace --vcs none ../shared")
    changed.run("uv add --no-sync ../shared")
    changed.run("uv add --no-sync --group extra arrow")
    mount = "--mount=type=bind,from=shared,target=/shared"
    edit(
        copy / "Dockerfile",
        (r"(    --mount=type=bind,source=pyproject.toml)", rf"    {mount} \\\n\1"),
        (r"(    --mount=type=bind,target=/src,rw)", rf"    {mount} \\\n\1"),
        (r"uv sync --locked", "uv sync --locked --group extra"),
    )

    image = build_image(copy, "test-build-sources", f"--build-context=shared={copy.parent / 'shared'}")

    assert run(image, "python -c 'import arrow, shared; print(shared.hello())'") == "Hello from shared!"


@pytest.mark.slow
def test_build_image_replaces_the_first_steps(scaffold: Callable[..., Service], use_engine: None) -> None:
    template = Path(__file__).resolve().parents[2]
    bases = ["debian:trixie-slim", "ghcr.io/astral-sh/uv:0.13.9"]
    subprocess.run([template / "tools/engine/engine", "stand-ins", *bases], check=True)
    secret = f"--secret=id=ca-certificates,src={CERTIFICATES}"
    docker("build", "--quiet", secret, "--tag=test-company-build:1", str(template / "build-image"))
    service = scaffold(dockerfile_syntax="", build_image="test-company-build:1")

    with running(build_image(service.folder, "test-build-company")) as container:
        assert container.status("/") == 200


@pytest.mark.slow
def test_buildah_builds_it_too(service: Service, image: str) -> None:
    engine = str(Path(__file__).resolve().parents[2] / "tools/engine/engine")
    limits = ["--isolation=chroot", "--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:4096"]
    subprocess.run([engine, "buildah-import", "debian:trixie-slim", "ghcr.io/astral-sh/uv:0.13.9"], check=True)
    secret = f"--secret=id=ca-certificates,src={CERTIFICATES}"
    command = [
        engine,
        "buildah",
        "build",
        "--format=docker",
        *limits,
        secret,
        "--tag=test-buildah",
        str(service.folder),
    ]
    subprocess.run(command, check=True)
    subprocess.run([engine, "buildah", "push", "test-buildah", "docker-daemon:test-buildah:latest"], check=True)

    with running("test-buildah") as container:
        assert container.status("/") == 200


@pytest.mark.parametrize(
    "platform",
    [
        pytest.param("debian-12", marks=pytest.mark.slow),
        pytest.param("python-3.14", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_other_platforms(platform: str, framework: str, build: Callable[..., str]) -> None:
    version = platform.replace("debian-12", "python-3.11").removeprefix("python-")
    with running(build(framework=framework, platform=platform)) as container:
        assert container.status("/") == 200
        assert version in container.execute("python", "--version")
