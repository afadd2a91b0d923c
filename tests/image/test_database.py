"""PostgreSQL: connections are killed, it stops, and it is migrated while the service runs."""

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from containers import LOCKED_DOWN, Container, build_image, docker, running, wait_until
from support import DEFAULT_SERVERS, ENGINE, Service, edit, stacks

DEFAULTS = list(DEFAULT_SERVERS.items())
TABLES = {"flask": "notes", "fastapi": "notes", "django": "my_service_note"}
CLIENTS = 20
# Four workers, and the memory that they need.
FOUR_WORKERS = ("--env=WEB_CONCURRENCY=4", "--memory=512m")
# The model's line after which the next version has another column.
COLUMNS = {
    "flask": (r"(    text: Mapped\[str\].*?\n)", r"\1    author: Mapped[str | None] = mapped_column(Text)\n"),
    "django": (r"(    text = .*?\n)", r"\1    author = models.TextField(null=True)  # noqa: DJ001\n"),
}
COLUMNS["fastapi"] = COLUMNS["flask"]
# A migration ends with this, and waits until the test opens the gate.
GATE = "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.1); END LOOP; END $$"
ALEMBIC = """
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    with {context}:
        for sql in {statements!r}:
            op.execute(sql)
"""
DJANGO = """
from django.db import migrations


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("my_service", "0001_notes")]
    operations = [migrations.RunSQL([sql]) for sql in {statements!r}]
"""


@dataclass
class Database:
    """A PostgreSQL server, called database in its network."""

    network: str
    container: Container

    @property
    def options(self) -> list[str]:
        """Return the options for a container that uses it."""
        url = "postgresql://app:example@database/app"
        return [f"--network={self.network}", f"--env=DATABASE_URL={url}"]

    @property
    def url(self) -> str:
        """Return the URL for this machine."""
        return f"postgresql://app:example@{Container(self.container.id).host}/app"

    def execute(self, sql: str) -> list[str]:
        """Execute a statement, and return the rows."""
        return self.container.execute(
            "psql", "--username=app", "-qAt", f"--command={sql}", user="postgres"
        ).splitlines()

    def disconnect(self) -> None:
        """Close the connections of all clients."""
        others = "usename = 'app' AND pid <> pg_backend_pid()"
        self.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")

    def wait(self) -> None:
        """Wait until it accepts connections."""
        probe = ["docker", "exec", self.container.id, "pg_isready", "--host=127.0.0.1", "--username=app"]
        wait_until(lambda: not subprocess.run(probe, check=False, capture_output=True).returncode, "PostgreSQL")

    @contextmanager
    def closed_gate(self) -> Iterator[None]:
        """Let migrations wait at the gate until the end of the context."""
        try:
            yield
        finally:
            self.execute("INSERT INTO gate DEFAULT VALUES")

    def activity(self, pattern: str = "%") -> int:
        """Return the number of connections of clients whose last statement is like a pattern."""
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        (count,) = self.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {others} AND query LIKE '{pattern}'")
        return int(count)


@pytest.fixture(scope="session")
def postgresql(use_engine: None) -> Iterator[Database]:
    """Start a server."""
    subprocess.run([ENGINE, "stand-ins", "postgres:17"], check=True)
    network = f"test-{uuid4().hex[:12]}"
    docker("network", "create", network)
    settings = ("--env=POSTGRES_USER=app", "--env=POSTGRES_PASSWORD=example")
    container = docker("run", "--detach", f"--network={network}", "--network-alias=database", *settings, "postgres:17")
    server = Database(network, Container(container))
    server.wait()
    yield server
    docker("rm", "--force", "--volumes", container)
    docker("network", "rm", network)


@pytest.fixture
def database(postgresql: Database) -> Database:
    """Return the server, without tables, and without connections of clients that the network has cut off."""
    postgresql.disconnect()
    postgresql.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE gate ()")
    return postgresql


@dataclass
class Deployment:
    """The image of a service, and a database for it."""

    framework: str
    server: str
    image: str
    database: Database

    @property
    def connections(self) -> int:
        """Return the most connections of a worker, as documented."""
        return 5 if self.framework == "fastapi" else {"uwsgi": 1, "gunicorn": 4, "granian": 4}[self.server]

    @property
    def options(self) -> list[str]:
        """Return the options that each container needs."""
        django = ["--env=SECRET_KEY=secret-of-this-test", "--env=ALLOWED_HOSTS=*"]
        return [*self.database.options, *(django if self.framework == "django" else [])]

    def run(self, *options: str, image: str = ""):
        """Run the server, with four workers."""
        return running(image or self.image, *FOUR_WORKERS, *self.options, *options)

    def migrate(self, *options: str, image: str = "") -> tuple[int, str]:
        """Run the migrations; return the exit status and the output."""
        command = ["docker", "run", "--rm", *LOCKED_DOWN, *self.options, *options, image or self.image, "migrate"]
        result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout

    def migration(self, folder: Path, *statements: str, concurrent: bool = False) -> str:
        """Return the option that gives the image one more migration."""
        context = "op.get_context().autocommit_block()" if concurrent else "op.get_context().begin_transaction()"
        text = (DJANGO if self.framework == "django" else ALEMBIC).format(
            statements=statements, atomic=not concurrent, context=context
        )
        file = folder / "0002_more.py"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o644)
        versions = "" if self.framework == "django" else "versions/"
        return f"--volume={file}:/app/lib/python3.13/site-packages/my_service/migrations/{versions}{file.name}:ro"


@pytest.fixture(params=stacks(DEFAULTS))
def deployment(request: pytest.FixtureRequest, build: Callable[..., str], database: Database) -> Deployment:
    """Build a service with a database."""
    framework, server = request.param
    image = build(with_pages=False, framework=framework, server=server, database="postgresql")
    return Deployment(framework, server, image, database)


@dataclass
class Load:
    """Clients that write and read notes and ask the probes, and what they got."""

    container: Container
    pause: float
    results: list[tuple[float, float, str, int]] = field(default_factory=list)
    """Start, end, kind and status of each request; 0 is none."""
    written: set[int] = field(default_factory=set)
    used: dict[int, Container] = field(default_factory=dict)
    """The container of each client's last request."""
    stopped: bool = False

    @classmethod
    @contextmanager
    def on(cls, container: Container, pause: float = 0.1) -> Iterator["Load"]:
        """Let clients work until the end of the context, with pauses in seconds."""
        load = cls(container, pause)
        kinds = ["write", "read"] * (CLIENTS // 2) + ["/readyz", "/livez"]
        with ThreadPoolExecutor(len(kinds)) as threads:
            clients = [threads.submit(load.client, *client) for client in enumerate(kinds)]
            try:
                yield load
            finally:
                load.stopped = True
        for client in clients:
            client.result()

    def client(self, number: int, kind: str) -> None:
        """Send requests of a kind, one after the other."""
        while not self.stopped:
            started, status = time.monotonic(), 0
            container = self.used[number] = self.container
            try:
                if kind == "write":
                    response = write(container)
                    if response.status == 201:
                        self.written.add(response.json["id"])
                else:
                    response = container.request("/notes" if kind == "read" else kind)
                status = response.status
            except (OSError, http.client.HTTPException):
                pass
            self.results.append((started, time.monotonic(), kind, status))
            time.sleep(self.pause)

    def move(self, container: Container) -> None:
        """Use another container, and wait until no client uses the one before, as a reverse proxy does."""
        before, self.container = self.container, container
        wait_until(lambda: before not in self.used.values(), "the new container")

    def statuses(self, kind: str, since: float = 0, until: float = float("inf")) -> set[int]:
        """Return the statuses of the requests of a kind between two moments."""
        return {status for start, end, of, status in [*self.results] if of == kind and since <= start and end <= until}

    def wait_for(self, kind: str, status: int, seconds: float) -> None:
        """Wait until a request that starts from now on gets a status."""
        since = time.monotonic()
        wait_until(lambda: status in self.statuses(kind, since), f"{kind} is {status}", seconds)


def stored(deployment: Deployment) -> set[int]:
    """Return the numbers of the notes in the database."""
    return {*map(int, deployment.database.execute(f"SELECT id FROM {TABLES[deployment.framework]}"))}


def write(container: Container):
    """Store a note."""
    return container.request("/notes", "POST", json.dumps({"text": "Buy milk"}), Content_Type="application/json")


def columns(deployment: Deployment) -> list[str]:
    """Return the columns of the notes."""
    table = TABLES[deployment.framework]
    return deployment.database.execute(
        f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
    )


def test_killed_connections_cost_no_request(deployment: Deployment) -> None:
    deployment.migrate()
    wanted = 4 * deployment.connections
    with deployment.run() as container:
        with Load.on(container) as load:
            wait_until(lambda: deployment.database.activity() >= wanted, f"{wanted} connections")
            load.wait_for("read", 200, 30)
            load.wait_for("write", 201, 30)
        assert load.statuses("read") | load.statuses("write") == {200, 201}
        assert deployment.database.activity() <= wanted

        deployment.database.disconnect()

        assert [write(container).status for _ in range(10)] == [201] * 10


def test_line_of_a_statement_that_the_server_ended_has_the_traceback(deployment: Deployment) -> None:
    deployment.migrate()
    execute, table = deployment.database.execute, TABLES[deployment.framework]
    execute(f"ALTER TABLE {table} RENAME TO notes_before")
    url = "postgresql://app:example@database/app?options=-c%20statement_timeout%3D100"
    with deployment.run(f"--env=DATABASE_URL={url}") as container:
        for body, error in (("PERFORM pg_sleep(60)", "QueryCanceled"), ("RAISE deadlock_detected", "DeadlockDetected")):
            execute(f"CREATE OR REPLACE FUNCTION fail() RETURNS void LANGUAGE plpgsql AS $$BEGIN {body}; END$$")
            execute(f"CREATE OR REPLACE VIEW {table} AS SELECT t.* FROM fail() LEFT JOIN notes_before t ON true")

            assert container.request("/notes").status == 503
            assert error in container.lines("database unavailable")[-1]["exception"]


def test_service_outlives_its_database(deployment: Deployment) -> None:
    """Stopped for 30 seconds, under load."""
    database = deployment.database
    deployment.migrate()
    with deployment.run() as container:
        workers = container.workers()
        with Load.on(container) as load:
            load.wait_for("write", 201, 30)
            docker("stop", database.container.id)
            load.wait_for("/readyz", 503, 4)
            down = time.monotonic()
            time.sleep(30)
            up = time.monotonic()
            docker("start", database.container.id)
            database.wait()
            returned = time.monotonic()
            load.wait_for("/readyz", 200, 5)
            time.sleep(max(0, returned + 5 - time.monotonic()))
            back = time.monotonic()
            load.wait_for("write", 201, 5)
            load.wait_for("read", 200, 5)
        assert container.workers() == workers
        assert container.lines("unhandled exception") == []
    assert load.statuses("read", down, up) == load.statuses("write", down, up) == load.statuses("/readyz", down, up)
    assert load.statuses("read", down, up) == {503}
    assert load.statuses("/livez") == {200}
    assert load.statuses("read", back) | load.statuses("write", back) == {200, 201}
    assert load.written <= stored(deployment)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut off", "frozen"])
def test_service_outlives_a_database_that_does_not_respond(deployment: Deployment, fault: str) -> None:
    """Because the network drops its packets, or because it hangs."""
    database = deployment.database
    deployment.migrate()
    with deployment.run() as container:
        workers = container.workers()
        with Load.on(container) as load:
            load.wait_for("write", 201, 30)
            if fault == "frozen":
                docker("pause", database.container.id)
            else:
                docker("network", "disconnect", database.network, database.container.id)
                load.wait_for("/readyz", 503, 10)
            time.sleep(20)
            if fault == "frozen":
                docker("unpause", database.container.id)
            else:
                docker("network", "connect", "--alias=database", database.network, database.container.id)
            time.sleep(10)
            back = time.monotonic()
            load.wait_for("write", 201, 5)
            load.wait_for("read", 200, 5)
        assert container.workers() == workers
    assert load.statuses("/livez") == {200}
    assert load.statuses("read", back) | load.statuses("write", back) | load.statuses("/readyz", back) == {200, 201}
    assert load.written <= stored(deployment)


@pytest.mark.slow
def test_next_version_replaces_the_old_one_under_load(
    deployment: Deployment, scaffold: Callable[..., Service], request: pytest.FixtureRequest
) -> None:
    """With a migration that adds a column: 20,000 requests."""
    framework, server = deployment.framework, deployment.server
    service = scaffold(framework=framework, server=server, database="postgresql", dockerfile_syntax="")
    service.run("uv sync --quiet")
    deployment.migrate()
    (service.folder / ".env").write_text(f"DATABASE_URL={deployment.database.url}\n")
    edit(service.folder / "src/my_service/models.py", COLUMNS[framework])
    service.run(f"uv run poe makemigrations {'' if framework == 'django' else 'Authors'}")
    service.run("uv run poe format")
    new_image = build_image(service.folder, f"{deployment.image}-next")
    request.addfinalizer(lambda: docker("rmi", "--force", new_image))

    with ExitStack() as containers:
        old = containers.enter_context(deployment.run())
        with Load.on(old, pause=0.05) as load:
            wait_until(lambda: len(load.results) > 7000, "7,000 requests", 600)
            assert deployment.migrate(image=new_image)[0] == 0
            wait_until(lambda: len(load.results) > 14_000, "14,000 requests", 600)
            load.move(containers.enter_context(deployment.run(image=new_image)))
            docker("stop", "--time=60", old.id)
            wait_until(lambda: len(load.results) > 20_000, "20,000 requests", 600)
    assert {(kind, status) for *_, kind, status in load.results} == {
        ("write", 201),
        ("read", 200),
        ("/readyz", 200),
        ("/livez", 200),
    }
    assert load.written == stored(deployment)
    assert "author" in columns(deployment)


def test_service_passes_its_own_checks(deployment: Deployment, scaffold: Callable[..., Service]) -> None:
    service = scaffold(framework=deployment.framework, server=deployment.server, database="postgresql")

    service.run("uv run poe check", DATABASE_URL=deployment.database.url)


def test_three_migrations_at_once_are_applied_once(deployment: Deployment, tmp_path: Path) -> None:
    """CREATE INDEX CONCURRENTLY waits for all transactions, also for those that wait for a lock."""
    deployment.migrate()
    index = f"CREATE INDEX CONCURRENTLY ix_text ON {TABLES[deployment.framework]} (text)"
    option = deployment.migration(tmp_path, GATE, index, concurrent=True)
    with ThreadPoolExecutor(3) as threads, deployment.database.closed_gate():
        runs = [threads.submit(deployment.migrate, option) for _ in range(3)]
        wait_until(lambda: deployment.database.activity("%gate%") == 1, "a migration that runs")
        wait_until(lambda: deployment.database.activity() == 3, "two that wait for it")
    results = [run.result() for run in runs]

    assert [status for status, _ in results] == [0, 0, 0], results
    assert deployment.database.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_text'::regclass") == [
        "t"
    ]


def test_killed_migration_changes_nothing_and_can_be_run_again(deployment: Deployment, tmp_path: Path) -> None:
    deployment.migrate()
    option = deployment.migration(tmp_path, f"ALTER TABLE {TABLES[deployment.framework]} ADD COLUMN author text", GATE)
    options = (*deployment.options, option)
    with (
        deployment.database.closed_gate(),
        running(deployment.image, *options, command=("migrate",), ready=False) as container,
    ):
        wait_until(lambda: deployment.database.activity("%gate%") == 1, "a migration that runs")
        container.kill("KILL")
        assert container.exit_status() == 137
        assert columns(deployment) == ["id", "text"]

    assert deployment.migrate(option)[0] == 0
    assert columns(deployment) == ["id", "text", "author"]


def test_table_in_use_and_incomplete_index_stop_a_migration(deployment: Deployment, tmp_path: Path) -> None:
    deployment.migrate()
    table = TABLES[deployment.framework]
    option = deployment.migration(tmp_path, f"ALTER TABLE {table} ADD COLUMN author text")
    with ThreadPoolExecutor(1) as threads, deployment.database.closed_gate():
        threads.submit(deployment.database.execute, f"BEGIN; LOCK TABLE {table}; {GATE}")
        wait_until(lambda: deployment.database.activity("%LOCK TABLE%") == 1, "a transaction that uses the table")
        status, output = deployment.migrate(option)
    assert status != 0
    assert "lock timeout" in output

    deployment.database.execute(f"CREATE INDEX ix_text ON {table} (text)")
    deployment.database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_text'::regclass")
    status, output = deployment.migrate(option)
    assert status != 0
    assert "DROP INDEX CONCURRENTLY ix_text" in output


def test_rollback_to_the_image_before_an_expand_migration(deployment: Deployment, tmp_path: Path) -> None:
    deployment.migrate()
    option = deployment.migration(tmp_path, f"ALTER TABLE {TABLES[deployment.framework]} ADD COLUMN author text")
    with deployment.run() as old:
        assert deployment.migrate(option)[0] == 0
        assert write(old).status == 201

    # Whether or not a platform runs the migrations of the old version again.
    assert deployment.migrate()[0] == 0
    with deployment.run() as old:
        assert write(old).status == 201
        assert len(old.request("/notes").json) == 2
    assert "author" in columns(deployment)


def test_url_that_cannot_be_meant_is_refused_without_being_shown(deployment: Deployment) -> None:
    url = "--env=DATABASE_URL=postgresql://app:hid@den@database/app"
    with running(deployment.image, *deployment.options, url, ready=False) as container:
        wait_until(lambda: "DATABASE_URL is invalid" in container.output(), "a message")
        assert container.status("/livez") == 0
        assert "hid" not in container.output()


def test_password_comes_from_its_file(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("example\n", encoding="utf-8")
    file.chmod(0o644)
    url = "--env=DATABASE_URL=postgresql://app@database/app"
    options = (url, f"--volume={file}:/run/password:ro", "--env=DATABASE_PASSWORD_FILE=/run/password")

    assert deployment.migrate(*options)[0] == 0
    with deployment.run(*options) as container:
        assert write(container).status == 201
