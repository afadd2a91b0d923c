"""The default service's image: container tests, contents, labels, health check."""

import functools
import io
import json
import re
import subprocess
import tarfile

import pytest
import quoting
from building import CERTIFICATES, NO_NETWORK, build, docker, run_container_tests
from hostile import TEXTS

# Runs in the image: lists modules without unchecked byte code.
COMPILED = """
import importlib.util, json, pathlib
stale = []
for source in pathlib.Path("/app/lib").rglob("*.py"):
    compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
    if not compiled.is_file() or compiled.read_bytes()[4:8] != b"\\1\\0\\0\\0":
        stale.append(str(source))
print(json.dumps({"modules": len(list(pathlib.Path("/app/lib").rglob("*.py"))), "stale": stale}))
"""

# dpkg's report on a file that the Dockerfile removes.
REMOVED = (
    r"missing     /usr/(bin/tini-static|"
    r"lib/python3\.13/(test(/.*)?|pydoc_data(/.*)?|turtle\.py|lib-dynload/_test.*\.so))"
)


def test_image_passes_the_services_container_tests(service, image):
    run_container_tests(service, image)


def test_container_tests_build_the_image_if_none_is_given(service, image):
    certificates = str(CERTIFICATES) if CERTIFICATES.is_file() else ""
    output = service.run("uv run --locked pytest -m container -k serves_as_any_user", SSL_CERT_FILE=certificates)

    assert "1 passed" in output


def test_byte_code_is_complete_and_never_goes_stale(image):
    found = json.loads(image.run("python", "-c", COMPILED))

    assert found["modules"] > 100
    assert found["stale"] == []


def test_python_is_the_platforms_own_in_both_stages(service, image):
    dependencies = build(service.folder, "my-service:dependencies", "--target=dependencies")

    for stage in (dependencies, image):
        real = stage.run("/app/bin/python", "-c", "import os, sys; print(os.path.realpath(sys.executable))")
        assert real.strip() == "/usr/bin/python3.13"


def test_options_are_appended_to_the_server_command(image):
    assert image.run("--version").strip().splitlines()[-1].startswith("2.0.")


def test_labels_come_from_build_arguments_without_touching_a_layer(service):
    # Build it now, because the cache of an earlier build may have been pruned.
    plain = build(service.folder, "my-service:plain")
    labelled = build(
        service.folder,
        "my-service:labelled",
        "--build-arg=REVISION=0123abc",
        "--build-arg=SOURCE=https://git.example.com/my-service",
        "--build-arg=CREATED=2026-01-02T03:04:05Z",
        *NO_NETWORK,
    )

    assert labelled.layers == plain.layers
    labels = labelled.inspect()["Config"]["Labels"]
    assert {name.removeprefix("org.opencontainers.image."): text for name, text in labels.items()} | {
        "stand-in": ""
    } == {
        "title": "My Service",
        "description": "A Python web service",
        "licenses": "LicenseRef-Proprietary",
        "revision": "0123abc",
        "source": "https://git.example.com/my-service",
        "created": "2026-01-02T03:04:05Z",
        "stand-in": "",
    }


@pytest.mark.parametrize(
    "leftover", ["/var/lib/apt/lists", "/var/cache/apt", "/var/log", "/root", "/tmp", "/build", "/wheels"]
)
def test_nothing_is_left_over_from_the_build(image, leftover):
    """Files of the base image are ignored."""
    base = image.inspect()["Config"]
    assert base["User"] == "10001:10001"
    added = files(image.name) - files("debian:trixie-slim")
    assert "/docker-entrypoint.sh" in added
    assert [file for file in added if file.startswith(f"{leftover}/")] == []


@functools.cache
def files(name: str) -> frozenset[str]:
    """Return all files of an image; by `docker export`, because a busy engine may lose the end of an output."""
    container = docker("create", name, "true").strip()
    try:
        archive = subprocess.run(["docker", "export", container], check=True, stdout=subprocess.PIPE).stdout
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return frozenset(f"/{member.name}" for member in tar if member.isfile())


def test_image_is_at_most_41_megabytes_above_its_base(image):
    base, *ours = image.layer_sizes()

    assert base > 50e6
    assert sum(ours) <= 41e6, ours


def test_package_records_match_the_files(image):
    """Except for files that the base image omits, such as documents, and those that the Dockerfile removes."""
    differing = set(verify(image.name)) - set(verify("debian:trixie-slim"))

    # The service's packages omit documents, like the base image's.
    others = [line for line in differing if "/usr/share/" not in line]
    assert "missing     /usr/bin/tini-static" in others
    assert [line for line in others if not re.fullmatch(REMOVED, line)] == []


def verify(name: str) -> list[str]:
    """Return the files that differ from dpkg's records."""
    command = ["run", "--rm", "--user=0", "--entrypoint=sh", name, "-c", "dpkg --verify || true"]
    return docker(*command).splitlines()


def test_healthcheck_needs_no_program_of_its_own(image):
    check = image.inspect()["Config"]["Healthcheck"]["Test"]

    assert check == ["CMD", "python", "-IS", "/app/etc/healthcheck.py"]


def test_healthcheck_fails_while_nothing_serves(image):
    result = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint=python", image.name, "-IS", "/app/etc/healthcheck.py"],
        check=False,
        capture_output=True,
    )

    assert result.returncode == 1
    assert b"ConnectionRefusedError" in result.stderr


def test_labels_can_have_any_text(render, tmp_path):
    """Each hostile text is the title and description of one LABEL instruction, which the engine parses.

    tests/render/ checks that the template quotes each of them in this way.
    """
    dockerfile = (render(project_name="TITLE", description="DESCRIPTION") / "Dockerfile").read_text(encoding="utf-8")
    _, keyword, label = dockerfile.rpartition("LABEL ")
    instructions = ["FROM scratch"]
    for number, text in enumerate(TEXTS.values()):
        named = (keyword + label).replace("org.opencontainers.image", f"n{number}")
        quoted = quoting.dockerfile(text)
        instructions.append(named.replace('"TITLE"', quoted).replace('"DESCRIPTION"', quoted))
    (tmp_path / "Dockerfile").write_text("\n".join(instructions), encoding="utf-8")

    labels = build(tmp_path, "hostile-labels").inspect()["Config"]["Labels"]

    for number, text in enumerate(TEXTS.values()):
        assert (labels[f"n{number}.title"], labels[f"n{number}.description"]) == (text, text)
