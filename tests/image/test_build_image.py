"""A platform team's build image, and services that are built in it."""

import re
import shutil
import subprocess

import pytest
from building import NO_NETWORK, build, docker, run_container_tests, scaffold_with_bases
from support import TEMPLATE, engine
from test_contract import files

BUILD_IMAGE = "python-build:tests"
FOLDER = TEMPLATE / "build-image"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
UV = re.search(r"^ARG UV_IMAGE=(\S+)", DOCKERFILE, re.MULTILINE)[1]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> str:
    """Make a certificate authority; return its certificate in PEM."""
    folder = tmp_path_factory.mktemp("authority")
    names = ["-subj", "/CN=A Company", "-keyout", folder / "key.pem", "-out", folder / "company.crt"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names], check=True, capture_output=True
    )
    return (folder / "company.crt").read_text()


@pytest.fixture(scope="session")
def build_image(certificate, tmp_path_factory):
    """Build the image from the template's folder, with a company's certificate."""
    folder = tmp_path_factory.mktemp("build") / "build-image"
    shutil.copytree(FOLDER, folder)
    (folder / "certificates/company.crt").write_text(certificate)
    engine("stand-ins", "debian:trixie-slim", UV)
    return build(folder, BUILD_IMAGE)


@pytest.fixture(scope="session")
def built_in_it(build_image, scaffold, use_engine):
    """Return a service whose Dockerfile names the build image."""
    return scaffold_with_bases(scaffold, build_image=build_image.name)


def test_dockerfile_with_a_build_image_begins_with_the_dependencies(built_in_it):
    dockerfile = (built_in_it.folder / "Dockerfile").read_text(encoding="utf-8")
    before, _, _ = dockerfile.partition("uv sync --locked")

    assert "apt-get" not in before
    assert "UV_" not in before
    assert "AS uv" not in dockerfile


def test_image_has_the_same_files_as_without_a_build_image(built_in_it, image):
    inside = build(built_in_it.folder, "my-service:built-in-it")

    assert files(inside.name) == files(image.name)
    run_container_tests(built_in_it, inside, "tests/container/test_image.py")


def test_code_change_is_built_without_a_network(built_in_it):
    build(built_in_it.folder, "my-service:built-in-it")
    with (built_in_it.folder / "src/my_service/app.py").open("a", encoding="utf-8") as file:
        file.write("\n# Changed\n")

    build(built_in_it.folder, "my-service:built-in-it", *NO_NETWORK)


def test_company_certificate_is_trusted_while_building_and_not_in_the_service(build_image, built_in_it, certificate):
    body = certificate.splitlines()[5]
    inside = build(built_in_it.folder, "my-service:built-in-it")
    search = ("sh", "-c", f"grep -rlF '{body}' /etc/ssl /usr/local /app 2>/dev/null || true")

    assert "/etc/ssl/certs/ca-certificates.crt" in build_image.run(*search)
    assert inside.run(*search) == ""


def test_uv_from_the_package_index_is_the_same_version(build_image):
    pip = subprocess.run(["pip", "config", "debug"], check=False, capture_output=True, text=True).stdout
    found = re.findall(r"^  (/\S+), exists: True", pip, re.MULTILINE)
    secret = [f"--secret=id=pip-config,src={found[0]}"] if found else []
    from_index = build(FOLDER, "python-build:index", "--build-arg=UV_FROM=index", *secret)

    version = from_index.run("uv", "--version").split()[1]

    assert version == build_image.run("uv", "--version").split()[1] == UV.partition(":")[2]
    assert "pip.conf" not in docker("history", "--no-trunc", "--format={{.Size}} {{.CreatedBy}}", from_index.name)


def test_build_image_compiles_extension_modules(build_image):
    compile_ = (
        'echo "#include <Python.h>" | gcc -I/usr/include/python3.13 -x c -c -o /tmp/module.o - && ls /tmp/module.o'
    )

    assert build_image.run("sh", "-c", compile_) == "/tmp/module.o\n"


def test_service_without_a_build_image_uses_the_same_uv_and_settings(service):
    dockerfile = (service.folder / "Dockerfile").read_text(encoding="utf-8")
    settings = re.findall(r"\b((?:UV|PYC)_[A-Z_]+=\S+)", DOCKERFILE.partition("ENV ")[2])

    assert f"ARG UV_IMAGE={UV}\n" in dockerfile
    assert f"ARG UV_VERSION={UV.partition(':')[2]}\n" in DOCKERFILE
    assert len(settings) == 7
    for setting in settings:
        assert setting.replace("${INTERPRETER}", "/usr/bin/python3.13") in dockerfile
