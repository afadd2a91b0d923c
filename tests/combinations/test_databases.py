"""Every framework on every server with PostgreSQL: migrated, cut off from its database, and replaced under load."""

import http.client
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import uuid4

import pytest
from building import Image, build, docker, run_container_tests, scaffold_with_bases
from offered import PAIRS, marked
from recipes import commands, run, sections
from support import Service, edit, engine

# One for each way to connect, on different servers.
EVERY_CHANGE = [("flask", "uwsgi"), ("django", "granian"), ("fastapi", "uvicorn")]
NEEDED = ["--env=SECRET_KEY=" + 10 * "secret", "--env=ALLOWED_HOSTS=*", "--env=WEB_CONCURRENCY=2"]
NOTE = json.dumps({"text": "Buy milk"})
CLIENTS = 20

# What docs/database.md states.
PROBE_FAILS_WITHIN = 3  # seconds
BOUND = 7  # seconds that a request may take while the network drops packets
RETURNS_WITHIN = 5  # seconds

# A change of the model that the version before can live with.
NEW_COLUMN = {
    "flask": (
        "\n    text: Mapped[str]",
        "\n    author: Mapped[str | None] = mapped_column(Text)\n    text: Mapped[str]",
    ),
    "django": ("\n    text = ", "\n    author = models.TextField(null=True)  # noqa: DJ001\n    text = "),
}
NEW_COLUMN["fastapi"] = NEW_COLUMN["flask"]
# A migration that takes its time. Several at once would create the table twice.
SLOW = {
    "flask": ("    op.create_table(", '    op.execute("SELECT pg_sleep(3)")\n    op.create_table('),
    "django": ("    operations = [", '    operations = [\n        migrations.RunSQL("SELECT pg_sleep(3)", ""),'),
}
SLOW["fastapi"] = SLOW["flask"]
# Without the lock.
UNLOCKED = """
from my_service.migrate import session, start, upgrade

start()
with session() as connection:
    upgrade(connection)
"""


@dataclass
class Deployment:
    """A service with a database, and its image."""

    framework: str
    service: Service
    image: Image

    def start(self, *options: str, image: str = "") -> str:
        """Start a container."""
        return docker("run", "--detach", *NEEDED, *options, image or self.image.name).strip()


@dataclass
class Database:
    """A running server, in a network where it is called database."""

    network: str
    container: str

    @property
    def options(self) -> list[str]:
        """Return the options for a container that uses it."""
        return [f"--network={self.network}", f"--env=DATABASE_URL={self.url('database')}"]

    @property
    def local_url(self) -> str:
        """Return the URL for this machine."""
        return self.url(address(self.container))

    @staticmethod
    def url(host: str) -> str:
        """Return the URL of a server on a host."""
        return f"postgresql://postgres:only-for-tests@{host}/postgres"

    def execute(self, sql: str) -> list[str]:
        """Execute a statement; return the rows."""
        command = ["psql", "--username=postgres", "--no-align", "--tuples-only", f"--command={sql}"]
        return docker("exec", self.container, *command).splitlines()

    def wait(self) -> None:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + 60
        probe = ["docker", "exec", self.container, "pg_isready", "--host=127.0.0.1"]
        while subprocess.run(probe, check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, docker("logs", self.container)
            time.sleep(0.1)

    def migrate(self, image: str) -> None:
        """Apply the migrations of an image."""
        docker("run", "--rm", *NEEDED, *self.options, image, "migrate")


@dataclass
class Load:
    """Clients that write and read notes, and probe, until they are stopped; and what they were answered."""

    host: str
    stopped: bool = False
    answers: list[tuple[float, float, str, int | str, int]] = field(default_factory=list)
    """Start and duration in seconds, kind, status or error, and the number of a note that was written."""

    @classmethod
    @contextmanager
    def on(cls, host: str) -> Iterator[Self]:
        """Let clients work until the end of the context."""
        load = cls(host)
        kinds = [*(CLIENTS // 2 * ["write", "read"]), "/readyz", "/livez"]
        with ThreadPoolExecutor(len(kinds)) as threads:
            clients = [threads.submit(load._go, kind) for kind in kinds]
            try:
                yield load
            finally:
                load.stopped = True
        for client in clients:
            client.result()

    def _go(self, kind: str) -> None:
        probe = kind.startswith("/")
        while not self.stopped:
            started = time.monotonic()
            written = 0
            try:
                status, page = fetch(self.host, kind if probe else "/notes", NOTE if kind == "write" else None)
                written = page["id"] if status == 201 else 0
            except OSError as error:
                status = repr(error)
            self.answers.append((started, time.monotonic() - started, kind, status, written))
            if probe:
                time.sleep(0.1)

    def statuses(self, kind: str, since: float = 0, until: float = float("inf")) -> set[int | str]:
        """Return the statuses of requests of a kind that began in a period."""
        return {status for started, _, of, status, _ in self.answers if of == kind and since <= started < until}

    def wait_for(self, number: int) -> None:
        """Wait until there are this many more answers."""
        target = len(self.answers) + number
        deadline = time.monotonic() + 600
        while len(self.answers) < target:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def wait_for_status(self, kind: str, status: int, seconds: float) -> None:
        """Wait until a request that begins from now on has this status."""
        since = time.monotonic()
        while status not in self.statuses(kind, since):
            assert time.monotonic() - since < seconds, f"{kind} isn't {status} within {seconds} s"
            time.sleep(0.05)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test each pair of framework and server."""
    metafunc.parametrize("deployment", marked(PAIRS, EVERY_CHANGE), ids="-".join, indirect=True, scope="module")


@pytest.fixture(scope="module")
def deployment(request, scaffold, use_engine) -> Deployment:
    """Make a service with a database, and build its image."""
    framework, server = request.param
    service = scaffold_with_bases(scaffold, framework=framework, server=server, database="postgresql")
    engine("stand-ins", "postgres:17")
    service.run("uv sync --locked")
    return Deployment(framework, service, build(service.folder, f"my-service:{framework}-{server}-postgresql"))


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
            print(docker("logs", container)[-5000:])
            docker("rm", "--force", "--volumes", container)
        docker("network", "rm", network)


def test_service_with_a_database_passes_its_own_checks(deployment):
    deployment.service.run("uv run poe check")


def test_modules_for_the_database_are_covered(deployment, tmp_path):
    """A service leaves them out of its own coverage."""
    config = tmp_path / "coverage.ini"
    config.write_text("[run]\npatch = subprocess\nbranch = true\nsource_pkgs = my_service\n")
    report = deployment.service.run(f"uv run pytest --cov --cov-config={config} --cov-report=term-missing")
    missed = [line for line in report.splitlines() if line.startswith("src/") and " 100% " not in f"{line} "]

    assert missed == []


def test_image_with_a_database_passes_the_services_container_tests(deployment, request):
    everything = request.config.getoption("slow") or (deployment.framework == "fastapi")
    tests = "" if everything else "tests/container/test_image.py tests/container/test_database.py"
    run_container_tests(deployment.service, deployment.image, tests)


def test_service_outlives_its_database(deployment, database, request):
    """Stopped, then cut off from the network, under load."""
    seconds = 30 if request.config.getoption("slow") else 8
    database.migrate(deployment.image.name)
    container = deployment.start(*database.options)
    host = address(container)
    wait_until_ready(host)
    workers = processes(container)

    with Load.on(host) as load:
        load.wait_for(200)
        started = time.monotonic()
        assert load.statuses("write") == {201}
        docker("stop", database.container)
        load.wait_for_status("/readyz", 503, PROBE_FAILS_WITHIN)
        down = time.monotonic()
        time.sleep(seconds)
        until = time.monotonic()
        docker("start", database.container)
        database.wait()
        load.wait_for_status("/readyz", 200, RETURNS_WITHIN)
        time.sleep(RETURNS_WITHIN)
        back = time.monotonic()
        load.wait_for(200)
    assert load.statuses("write", down, until) == load.statuses("read", down, until) == {503}
    assert load.statuses("write", back) | load.statuses("read", back) == {200, 201}
    assert max(duration for began, duration, *_ in load.answers if began > started) < PROBE_FAILS_WITHIN

    with Load.on(host) as cut_off:
        cut_off.wait_for(200)
        docker("network", "disconnect", database.network, database.container)
        time.sleep(seconds)
        docker("network", "connect", "--alias=database", database.network, database.container)
        cut_off.wait_for_status("/readyz", 200, BOUND + RETURNS_WITHIN)
        back = time.monotonic() + RETURNS_WITHIN
        while time.monotonic() < back:
            time.sleep(0.1)
        cut_off.wait_for(200)
    assert cut_off.statuses("write", back) | cut_off.statuses("read", back) == {200, 201}
    assert max(duration for _, duration, *_ in cut_off.answers) < BOUND
    for seen in (load, cut_off):
        assert seen.statuses("/livez") == {200}
        assert seen.statuses("write") | seen.statuses("read") == {200, 201, 503}
        assert written(seen) <= stored(database)
    assert processes(container) == workers, "a worker was replaced"
    assert '"database unavailable"' in docker("logs", container)
    assert "only-for-tests" not in docker("logs", container)


def test_connections_that_are_killed_under_load_cost_nothing_afterwards(deployment, database):
    database.migrate(deployment.image.name)
    container = deployment.start(*database.options)
    host = address(container)
    wait_until_ready(host)
    with Load.on(host) as load:
        load.wait_for(300)
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'my-service'")

    with ThreadPoolExecutor(10) as clients:
        assert [status for status, _ in clients.map(lambda _: fetch(host, "/notes", NOTE), range(20))] == 20 * [201]


def test_next_version_with_a_new_column_replaces_the_old_one_under_load(deployment, database, request, tmp_path):
    """By the steps of docs/database.md."""
    requests = 20_000 if request.config.getoption("slow") else 3000
    database.migrate(deployment.image.name)
    old = deployment.start(*database.options)
    wait_until_ready(address(old))
    next_version = copy(deployment.service, tmp_path)
    (models,) = next_version.folder.glob("src/*/models.py")
    edit(models, literal(*NEW_COLUMN[deployment.framework]))
    document = (next_version.folder / "docs/database.md").read_text(encoding="utf-8")
    for command in commands(sections(document, 3)["Change the schema"]):
        if not command.endswith("migrate"):
            run(command, next_version, DATABASE_URL=database.local_url)
    next_version.run("uv run pytest tests/test_migrate.py")
    image = build(next_version.folder, f"my-service:{deployment.framework}-next").name

    with Load.on(address(old)) as load:
        load.wait_for(requests // 3)
        database.migrate(image)
        load.wait_for(requests // 3)
        new = deployment.start(*database.options, image=image)
        wait_until_ready(address(new))
        # The reverse proxy routes to the new one; the old one finishes its requests.
        load.host = address(new)
        time.sleep(0.5)
        docker("stop", "--time=60", old)
        load.wait_for(requests // 3)

    assert {status for *_, status, _ in load.answers} == {200, 201}
    assert len(load.answers) >= requests // 3 * 3
    assert written(load) == stored(database)
    assert database.execute("SELECT count(*) FROM information_schema.columns WHERE column_name = 'author'") == ["1"]


def test_migrations_need_their_lock_and_survive_being_killed(deployment, database, tmp_path):
    slow = copy(deployment.service, tmp_path)
    (migration,) = slow.folder.rglob("src/**/0001_notes.py")
    edit(migration, literal(*SLOW[deployment.framework]))
    image = build(slow.folder, f"my-service:{deployment.framework}-slow").name

    def migrate(*command: str) -> tuple[int, str]:
        result = subprocess.run(
            ["docker", "run", "--rm", *NEEDED, *database.options, image, *command],
            check=False,
            capture_output=True,
            text=True,
        )
        return result.returncode, result.stdout + result.stderr

    # Without the lock, one of three fails; and its table isn't half there.
    with ThreadPoolExecutor(3) as threads:
        results = [*threads.map(lambda _: migrate("python", "-c", UNLOCKED), range(3))]
    assert 0 < [status for status, _ in results].count(0) < 3
    reset(database)

    killed = docker("run", "--detach", *NEEDED, *database.options, image, "migrate").strip()
    while not database.execute(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    ):
        time.sleep(0.1)
    docker("kill", killed)
    assert not tables(database) & {"notes", "my_service_note"}

    with ThreadPoolExecutor(3) as threads:
        results = [*threads.map(lambda _: migrate("migrate"), range(3))]

    assert [status for status, _ in results] == 3 * [0], results
    assert tables(database) & {"notes", "my_service_note"}
    assert sum(bool(re.search("Running upgrade|to be applied", output)) for _, output in results) == 1


def literal(text: str, replacement: str) -> tuple[str, str]:
    """Return a pattern for a text, and its replacement."""
    return re.escape(text), replacement


def copy(service: Service, folder: Path) -> Service:
    """Copy a service, without its environment."""
    target = folder / "service"
    shutil.copytree(service.folder, target, ignore=shutil.ignore_patterns(".venv"))
    return Service(target, service.env)


def reset(database: Database) -> None:
    """Delete all tables."""
    database.execute("DROP SCHEMA public CASCADE")
    database.execute("CREATE SCHEMA public")


def tables(database: Database) -> set[str]:
    """Return the names of all tables."""
    return {*database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def stored(database: Database) -> set[int]:
    """Return the numbers of all notes."""
    (table,) = tables(database) & {"notes", "my_service_note"}
    return {*map(int, database.execute(f"SELECT id FROM {table}"))}


def written(load: Load) -> set[int]:
    """Return the numbers of the notes whose writing was answered."""
    return {number for *_, number in load.answers if number}


def address(container: str) -> str:
    """Return the address of a container in its only network."""
    (network,) = json.loads(docker("container", "inspect", container))[0]["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


def processes(container: str) -> set[str]:
    """Return the IDs of the workers."""
    return {*docker("exec", container, "cat", "/proc/1/task/1/children").split()}


def wait_until_ready(host: str) -> None:
    """Wait until the service can use its database."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if fetch(host, "/readyz")[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, f"{host} isn't ready"
        time.sleep(0.1)


def fetch(host: str, path: str, body: str | None = None) -> tuple[int, dict]:
    """Fetch a page, or post JSON to it; return the status and the page."""
    connection = http.client.HTTPConnection(host, 8000, timeout=60)
    try:
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
