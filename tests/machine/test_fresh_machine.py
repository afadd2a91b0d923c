"""The commands of CONTRIBUTING.md set up all they need on a bare Debian, behind a proxy that intercepts TLS.

A container has what that document requires: Python, Git and make. From this machine it gets the network's settings: the
package mirror, the package index, the proxy, and the certificates, only through SSL_CERT_FILE.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import lists
from building import CERTIFICATES
from offered import marked
from support import TEMPLATE, engine

DOCKERFILE = """
FROM debian:{suite}-slim
COPY sources.list /etc/apt/
COPY apt.conf /etc/apt/apt.conf.d/network
RUN rm -f /etc/apt/sources.list.d/* && apt-get update && \\
    apt-get install --yes --no-install-recommends ca-certificates git make python3
COPY certificates.pem /company/
ENV SSL_CERT_FILE=/company/certificates.pem
COPY uv-docker-template /uv-docker-template
WORKDIR /uv-docker-template
"""
# Variables for the network's index and proxy. Their values may contain a password.
NETWORK = [
    *(f"{name}_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")),
    *(f"{name}_proxy" for name in ("http", "https", "all", "no")),
    *("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
]


@pytest.fixture(scope="module", params=marked(["trixie", "bookworm"], ["trixie"]))
def suite(request: pytest.FixtureRequest) -> str:
    """Return a release of Debian."""
    return request.param


@pytest.fixture(scope="module")
def machine(
    suite: str, use_engine: None, template_clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Build the image of a fresh machine with a clone of the template."""
    engine("stand-ins", f"debian:{suite}-slim")
    network = Path(lists(suite)).parent
    folder = tmp_path_factory.mktemp(suite)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(suite=suite), encoding="utf-8")
    shutil.copy(network / "sources.list", folder)
    acquire = re.findall(r"^Acquire::https?.*\n", (network / "apt.conf").read_text(encoding="utf-8"), re.MULTILINE)
    (folder / "apt.conf").write_text("".join(acquire), encoding="utf-8")
    shutil.copy(CERTIFICATES, folder / "certificates.pem")
    shutil.copytree(template_clone, folder / "uv-docker-template")
    image = f"fresh-machine-{suite}"
    subprocess.run(["docker", "build", "--quiet", f"--tag={image}", folder], check=True, stdout=subprocess.PIPE)
    # A volume with the image's name keeps fetched and compiled packages; each container has its own environments.
    yield image
    subprocess.run(["docker", "volume", "rm", "--force", image], check=True, stdout=subprocess.PIPE)
    subprocess.run(["docker", "rmi", image], check=True, stdout=subprocess.PIPE)


def make(image: str, *arguments: str) -> str:
    """Run make on a fresh machine and return its output."""
    index = tomllib.loads((TEMPLATE / "uv.lock").read_text(encoding="utf-8"))["package"][0]["source"]["registry"]
    network = {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index} | {
        name: os.environ[name] for name in NETWORK if name in os.environ
    }
    result = subprocess.run(
        [
            *("docker", "run", "--rm", "--init", f"--volume={image}:/root/.cache/uv"),
            *(f"--env={name}" for name in network),
            *(image, "make", *arguments),
        ],
        env={**os.environ, **network},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.slow
def test_make_test_fast(machine, suite):
    # The tests left out take half of the time; the others also show what a machine lacks.
    options = [] if suite == "trixie" else ["ARGS=-k 'not survives'"]
    output = make(machine, "test-fast", *options)

    assert " passed" in output
    assert "skipped" not in output


@pytest.mark.slow
def test_make_test_with_some_names(machine):
    """The selected tests make and install services, and run their CI jobs."""
    output = make(machine, "test", "ARGS=tests/service tests/update -k names")

    assert " passed" in output


# Debian 12 doesn't have the default service's Python: uv would have to download it from GitHub.
@pytest.mark.parametrize("suite", ["trixie"], indirect=True)
def test_make_demo(machine):
    output = make(machine, "demo")

    assert "fetching uv" in output
    assert '200 {"status":"ok"}' in output
    assert "it ended with exit status 0" in output
