"""Builds: what a change reruns, what makes a build fail, and clear errors."""

import re
import shutil
import subprocess
from uuid import uuid4

import pytest
from building import CERTIFICATES, NO_NETWORK, BuildError, Image, build, docker, exists, run_container_tests
from machine import ENGINE
from support import edit, make_unpackaged


def refused(folder, *options: str, **arguments) -> str:
    """Return the output of a build that has to fail, after checking that no image was tagged."""
    name = f"refused-{uuid4()}"
    with pytest.raises(BuildError) as caught:
        build(folder, name, *options, **arguments)
    assert not exists(name)
    return str(caught.value)


def test_code_change_builds_the_application_alone_without_a_network(copy, image):
    edit(copy.folder / "src/my_service/app.py", ("Return the service", f"Return the service {uuid4()}"))

    changed = build(copy.folder, "my-service:code", *NO_NETWORK)

    ran = [step for step, ran in changed.steps.items() if ran]
    assert [re.sub(r"^stage-\d+", "runtime", step) for step in ran] == ["runtime 6/6"], changed.steps
    assert changed.layers[:-1] == image.layers[:-1]
    assert changed.layers[-1] != image.layers[-1]
    assert changed.layer_sizes()[-1] < 128_000


def test_configuration_change_installs_no_dependency(copy, image):
    edit(copy.folder / "etc/uwsgi.ini", ("shutdown-sockets = true", "shutdown-sockets = false"))

    changed = build(copy.folder, "my-service:configuration", *NO_NETWORK)

    assert not changed.steps["dependencies 1/1"]
    unchanged = [old == new for old, new in zip(image.layers, changed.layers, strict=True)]
    assert unchanged == [True, True, True, True, False, False]


def test_added_dependency_changes_no_system_package(copy, image):
    copy.run("uv add --no-sync anyascii")

    changed = build(copy.folder, "my-service:dependency")

    assert changed.layers[:2] == image.layers[:2]
    assert changed.run("python", "-c", "import anyascii; print(anyascii.anyascii('ä'))") == "a\n"


def empty_cache(service) -> None:
    """Give uv a new, empty cache, and change the step, because the cache's id isn't part of its cache key."""
    edit(
        service.folder / "Dockerfile",
        ("type=cache,id=uv", f"type=cache,id={uuid4()}"),
        ("\nuv sync", f"\n: {uuid4()}\nuv sync"),
    )


def test_another_build_backend_is_downloaded_and_builds_the_application(copy):
    uv_build = r'requires = \["uv_build[^"]*"\]\nbuild-backend = "uv_build"'
    edit(copy.folder / "pyproject.toml", (uv_build, 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"'))

    built = build(copy.folder, "my-service:hatchling")

    wheel = built.run("sh", "-c", "cat /app/lib/*/site-packages/my_service-*.dist-info/WHEEL")
    assert "Generator: hatchling" in wheel


def test_outdated_lock_stops_the_build(copy):
    edit(copy.folder / "pyproject.toml", (r'"flask>=', '"anyascii",\n    "flask>='))

    assert "The lockfile at `uv.lock` needs to be updated" in refused(copy.folder)


def test_package_that_cannot_be_imported_stops_the_build(copy):
    edit(copy.folder / "src/my_service/app.py", (r"import environ", "import environ\nimport no_such_module"))

    assert "ModuleNotFoundError: No module named 'no_such_module'" in refused(copy.folder)


@pytest.mark.slow
def test_service_that_is_no_package_runs_from_its_image(copy):
    make_unpackaged(copy.folder)
    copy.run("uv lock")

    unpackaged = build(copy.folder, "my-service:unpackaged")

    script = "import my_service.wsgi as wsgi; print(wsgi.application.test_client().get('/').json, wsgi.__file__)"
    assert "'version': '1'} /src/my_service/wsgi.py" in unpackaged.run("python", "-c", script)
    copy.run("uv run pytest -m container -k ready", IMAGE=unpackaged.name)


@pytest.mark.parametrize("step", range(4))
def test_failing_command_in_the_middle_of_a_step_stops_the_build(step, copy):
    fail_in_step(copy.folder / "Dockerfile", step)

    assert "exit code: 1" in refused(copy.folder)


def fail_in_step(dockerfile, number: int) -> None:
    """Insert a failing command into a multi-line RUN, where only `set -e` detects it."""
    before, *steps = dockerfile.read_text().split("<<EOT\nset -ex\n")
    assert len(steps) == 4, "a step of several lines was added or removed: these tests must know"
    steps[number] = "false\n" + steps[number]
    dockerfile.write_text("<<EOT\nset -ex\n".join([before, *steps]))


def test_build_context_has_only_files_that_the_image_is_built_from(copy):
    """The folder has large and secret files; a Dockerfile that copies everything shows the build context."""
    folder = copy.folder
    for name in [
        ".env",
        ".env.production",
        "id_rsa",
        "secrets.json",
        "credentials/token",
        "src/.env",
        "etc/.env.local",
    ]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("hunter2")
    (folder / "LICENSE").write_text("Do what you like.")
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("hunter2")
    (folder / "src/my_service/__pycache__").mkdir(exist_ok=True)
    (folder / "src/my_service/__pycache__/app.cpython-313.pyc").write_text("hunter2")
    (folder / "dump.sql").write_bytes(bytes(50_000_000))
    (folder / "All.Dockerfile").write_text("FROM scratch\nCOPY . /\n")

    options = [f"--file={folder}/All.Dockerfile", f"--output=type=local,dest={folder.parent}/context"]
    docker("buildx", "build", "--quiet", *options, str(folder))

    context = folder.parent / "context"
    sent = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    own = {path.relative_to(folder).as_posix() for path in (folder / "src").rglob("*.py")}
    files = {"LICENSE", "README.md", "example.env", "pyproject.toml", "uv.lock"}
    files |= {"docker-entrypoint.sh", "etc/healthcheck.py", "etc/preload.py", "etc/uwsgi.ini"}
    assert sent == own | files
    assert "hunter2" not in build(folder, "my-service:littered").run(
        "sh", "-c", "grep -rs hunter2 /app / -m 1 --exclude-dir=proc --exclude-dir=sys || true"
    )


@pytest.mark.slow
def test_contents_do_not_depend_on_time_or_place(copy, service):
    """Another build in another folder has the same files in /app, except for their times."""
    first = build_anew(service.folder, "my-service:first")
    second = build_anew(copy.folder, "my-service:second")

    # uv records when it installed the wheel, and the checksum of this record.
    may_differ = {"my_service-0.1.0.dist-info/uv_cache.json", "my_service-0.1.0.dist-info/RECORD"}
    differing = {re.sub(".* (?:.*site-packages/)?", "", line) for line in contents(first) ^ contents(second)}
    assert differing <= may_differ


def build_anew(folder, name: str):
    """Build without the engine's cached steps, but with uv's cached packages."""
    docker("builder", "prune", "--all", "--force", "--filter=type=regular")
    return build(folder, name)


def contents(image) -> set[str]:
    """List the files in /app with type, mode, owner and checksum."""
    script = "find /app -printf '%y %m %U:%G %l %p\\n'; find /app -type f -exec sha256sum {} +"
    return set(image.run("sh", "-c", script).splitlines())


def test_certificates_of_a_company_stay_out_of_the_image(image, tmp_path):
    """No layer contains the certificates, or an empty file as their mount point."""
    assert image.run("sh", "-c", "ls -A /etc/ssl/certs 2>/dev/null || true") == ""
    docker("save", f"--output={tmp_path}/image.tar", image.inspect()["Id"])
    layers = (tmp_path / "image.tar").read_bytes()
    assert b"/etc/uwsgi.ini" in layers, "layers that are compressed could hide anything"

    for certificate in re.findall(r"BEGIN CERTIFICATE-----\n([^\n]+\n[^\n]+)", CERTIFICATES.read_text()):
        assert certificate.encode() not in layers


def test_wrong_certificates_are_named_as_the_reason(copy, tmp_path):
    """With these certificates alone, no index can be verified, even without interception."""
    key, certificates = tmp_path / "key.pem", tmp_path / "certificates.pem"
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=nobody", "-days", "1"]
    subprocess.run([*openssl, "-keyout", key, "-out", certificates], check=True, capture_output=True)
    empty_cache(copy)

    assert "invalid peer certificate: UnknownIssuer" in refused(copy.folder, certificates=certificates)


def test_unreachable_index_is_named(copy):
    empty_cache(copy)
    lock = copy.folder / "uv.lock"
    lock.write_text(re.sub(r"https://[^\"]*/flask-", "http://127.0.0.1:9/flask-", lock.read_text()))

    error = refused(copy.folder)

    assert re.search("Failed to (download|fetch).*flask", error)
    assert "127.0.0.1:9" in error


def test_no_network_is_named(copy):
    error = refused(copy.folder, "--no-cache", "--target=build", "--network=none")

    assert re.search("Unable to locate package|Temporary failure resolving|Could not resolve", error)


def test_hadolint_is_silent(service):
    hadolint = shutil.which("hadolint")
    result = subprocess.run([hadolint, "Dockerfile"], cwd=service.folder, check=False, capture_output=True, text=True)

    assert (result.returncode, result.stdout) == (0, "")


def test_engines_own_checks_find_nothing(service):
    """BuildKit's frontend has `--check` since 1.8; older ones print warnings during the build."""
    if "--check" in docker("buildx", "build", "--help"):
        docker("buildx", "build", "--check", str(service.folder))
    else:
        assert "warning" not in build(service.folder, "my-service:checked").log.lower()


BUILDAH = ["--isolation=chroot", "--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:4096"]


def buildah(folder, *options: str) -> subprocess.CompletedProcess[str]:
    """Build with Buildah, as Podman does; the options are for a machine without its own cgroups."""
    secret = [f"--secret=id=ca-certificates,src={CERTIFICATES}"] if CERTIFICATES.is_file() else []
    command = [ENGINE, "buildah", "build", "--format=docker", *BUILDAH, *secret, *options, folder]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def buildah_bases(service, image):
    """Copy the base images to Buildah's own storage."""
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", (service.folder / "Dockerfile").read_text(), re.MULTILINE)
    subprocess.run([ENGINE, "buildah-import", *images], check=True)


@pytest.mark.slow
def test_image_built_with_buildah_passes_the_container_tests(copy, buildah_bases):
    result = buildah(copy.folder, "--tag=my-service-by-buildah")
    assert result.returncode == 0, result.stdout

    name = "my-service:buildah"
    push = ["buildah", "push", "my-service-by-buildah", f"docker-daemon:{name}"]
    subprocess.run([ENGINE, *push], check=True, capture_output=True)
    run_container_tests(copy, Image(name, result.stdout))


@pytest.mark.slow
def test_failing_command_in_the_middle_of_a_step_stops_buildah(copy, buildah_bases):
    fail_in_step(copy.folder / "Dockerfile", 0)

    result = buildah(copy.folder, "--tag=refused")

    assert result.returncode != 0
    assert "exit status 1" in result.stdout
