# An update overwrites this file.
"""A PostgreSQL server for the tests.

It is the one that DATABASE_URL names; else one that is started here, from this machine's
packages or, without these, from an image. The tests use databases of their own.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
from python_on_whales import Container, DockerException, docker

IMAGE = "postgres:17"
PASSWORD = "only-for-tests"  # noqa: S105
START_TIMEOUT = 60  # seconds
# Before the tests set it to an example.
GIVEN = os.environ.get("DATABASE_URL", "")


@contextmanager
def new_database(url: str) -> Iterator[str]:
    """Create an empty database on the server; return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        name = f"test_{uuid4().hex}"
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def server() -> Iterator[str]:
    """Return the URL of the server, which is started if it isn't given."""
    if GIVEN:
        yield GIVEN
    elif programs := installed():
        with started(programs) as url:
            yield url
    else:
        with in_container(publish=[("127.0.0.1:", 5432)]) as container:
            ports = container.network_settings.ports or {}
            port = ports["5432/tcp"][0]["HostPort"]
            yield f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"


def installed() -> Path | None:
    """Return the folder of this machine's newest PostgreSQL, if it has one."""
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")  # as in Debian
    newest = max(folders, key=lambda path: float(path.parts[-3]), default=None)
    return newest.parent if newest else None


@contextmanager
def started(programs: Path) -> Iterator[str]:
    """Start a server that listens only in a temporary folder."""
    with TemporaryDirectory(prefix="postgresql-") as name:
        data = f"{name}/data"
        user = None
        if os.geteuid() == 0:  # as whom it refuses to run
            user = "postgres"
            shutil.chown(name, user)

        def run(program: str, *options: str) -> None:
            command = [f"{programs}/{program}", f"--pgdata={data}", *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=user)  # noqa: S603

        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "-N")
        options = f"-F -c listen_addresses='' -c unix_socket_directories={name}"
        run("pg_ctl", "start", "--wait", f"--log={name}/log", f"--options={options}")
        try:
            yield f"postgresql://postgres@/postgres?host={quote(name, safe='')}"
        finally:
            run("pg_ctl", "stop", "--mode=immediate")


@contextmanager
def in_container(**options: object) -> Iterator[Container]:
    """Run a server in a container, until it accepts connections."""
    settings = {"POSTGRES_PASSWORD": PASSWORD}
    container = docker.run(IMAGE, detach=True, envs=settings, **options)  # type: ignore[call-overload]
    try:
        wait_until_ready(container)
        yield container
    finally:
        docker.remove(container, force=True, volumes=True)


def address_of(container: Container, host: str = "") -> str:
    """Return the URL of a container's server, for other containers."""
    host = host or str(container.network_settings.ip_address)
    return f"postgresql://postgres:{PASSWORD}@{host}/postgres"


def execute(container: Container, sql: str) -> str:
    """Execute a statement; return its rows, a line each."""
    command = ["psql", "--username=postgres", "--no-align", "--tuples-only"]
    return str(docker.execute(container, [*command, f"--command={sql}"]))


def wait_until_ready(container: Container) -> None:
    """Wait until a container's server accepts connections."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            # Not its socket: while the image prepares its data, it listens only there.
            docker.execute(container, ["pg_isready", "--host=127.0.0.1"])
        except DockerException:
            assert time.monotonic() < deadline, docker.logs(container)
            time.sleep(0.2)
        else:
            return
