"""Services with a database, for every framework on every server."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from building import build, docker, scaffold_with_bases
from deployments import Database, Deployment
from offered import PAIRS, marked
from support import Service, engine

# One for each way to connect, on different servers.
EVERY_CHANGE = [("flask", "uwsgi"), ("django", "granian"), ("fastapi", "uvicorn")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test each pair of framework and server."""
    if "deployment" in metafunc.fixturenames:
        pairs = EVERY_CHANGE if metafunc.module.__name__ == "test_jobs" else marked(PAIRS, EVERY_CHANGE)
        metafunc.parametrize("deployment", pairs, ids="-".join, indirect=True, scope="session")


@pytest.fixture(scope="session")
def deployment(request, scaffold, use_engine) -> Deployment:
    """Make a service with a database, and build its image.

    Those of every change have jobs, too; tests/update/ checks services without them.
    """
    framework, server = request.param
    # A name of its own, because Compose takes the image of that name.
    name = f"{framework}-{server}-postgresql"
    answers = {"framework": framework, "server": server, "database": "postgresql", "image_name": name}
    if jobs := request.param in EVERY_CHANGE:
        answers["jobs"] = "procrastinate"
    service = scaffold_with_bases(scaffold, **answers)
    engine("stand-ins", "postgres:17", "nginx:1.28")
    # Its commands start many processes, which would otherwise compile all modules again.
    env = {name: value for name, value in service.env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    service = Service(service.folder, env)
    service.run("uv sync --locked")
    return Deployment(framework, service, build(service.folder, f"{name}:latest"), jobs)


@pytest.fixture
def database() -> Iterator[Database]:
    """Start a server."""
    network = f"database-{uuid4().hex}"
    docker("network", "create", network)
    options = [f"--network={network}", "--network-alias=database", "--env=POSTGRES_PASSWORD=only-for-tests"]
    server = Database(network, docker("run", "--detach", *options, "postgres:17").strip())
    try:
        server.wait()
        yield server
    finally:
        for container in docker("ps", "--all", "--quiet", f"--filter=network={network}").split():
            log = docker("logs", container)
            print(*[line for line in log.splitlines() if '"level": "error"' in line][:20], log[-3000:], sep="\n")
            docker("rm", "--force", "--volumes", container)
        docker("network", "rm", network)
