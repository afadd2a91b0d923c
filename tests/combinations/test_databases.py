"""Every framework on every server with PostgreSQL: migrated, cut off from its database, and replaced under load."""

import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from building import CERTIFICATES, build, docker, run_container_tests
from demo import free_port
from deployments import NEEDED, NOTE, Database, Load, address, copy, fetch, wait_until_ready
from recipes import commands, run, sections
from support import Service, commit, edit, git

# What docs/database.md states.
PROBE_FAILS_WITHIN = 3  # seconds
# Seconds that a request may take while the network drops packets. With SQLAlchemy, in the worst case: 5 for a connection of the
# pool, about 7 until the kernel gives that one up, 2 for a new one, and then some on a busy machine.
BOUND = 20
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

# Two connections for all clients, which get one for each transaction.
PGBOUNCER = """
[databases]
* = host=database user=postgres password=only-for-tests
[pgbouncer]
listen_addr = 0.0.0.0
auth_type = any
pool_mode = transaction
default_pool_size = 2
unix_socket_dir =
"""
ALL_ANSWERED = {("write", 201), ("read", 200), ("/readyz", 200), ("/livez", 200)}
PGBOUNCER_IMAGE = """\
FROM debian:trixie-slim
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \\
    apt-get update && apt-get install --yes --no-install-recommends pgbouncer
USER postgres
CMD ["pgbouncer", "/pgbouncer.ini"]
"""


def test_service_with_a_database_passes_its_own_checks(deployment):
    deployment.service.run("uv run poe check")


@pytest.mark.slow
def test_modules_for_the_database_are_covered(deployment, tmp_path):
    """A service leaves them out of its own coverage."""
    config = tmp_path / "coverage.ini"
    concurrency = "greenlet,thread" if deployment.framework == "fastapi" else "thread"
    options = ("patch = subprocess", "branch = true", "source_pkgs = my_service", f"concurrency = {concurrency}")
    config.write_text("\n".join(["[run]", *options, ""]))
    report = deployment.service.run(f"uv run pytest --cov --cov-config={config} --cov-report=term-missing")
    missed = [line for line in report.splitlines() if line.startswith("src/") and " 100% " not in f"{line} "]

    assert missed == []


def test_image_with_a_database_passes_the_services_container_tests(deployment, request):
    tests = "tests/container/test_image.py tests/container/test_database.py"
    if deployment.jobs:
        tests += " tests/container/test_worker.py"
    if request.config.getoption("slow"):
        tests = ""
    run_container_tests(deployment.service, deployment.image, tests)


def test_service_outlives_its_database(deployment, database, request):
    """Stopped, then cut off from the network, under load."""
    seconds = 30 if request.config.getoption("slow") else 8
    database.migrate(deployment.image.name)
    container = deployment.start(*database.options)
    host = address(container)
    wait_until_ready(host)
    workers = processes(container)

    with Load.on(host, pause=0.05) as load:
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
    # A request may begin before the database's return, and end after it.
    until -= PROBE_FAILS_WITHIN
    assert load.statuses("write", down, until) == load.statuses("read", down, until) == {503}
    assert load.statuses("write", back) | load.statuses("read", back) == {200, 201}
    assert max(duration for began, duration, *_ in load.answers if began > started) < PROBE_FAILS_WITHIN

    with Load.on(host, pause=0.05) as cut_off:
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
    requests = 20_000 if request.config.getoption("slow") else 2000
    database.migrate(deployment.image.name)
    old = deployment.start(*database.options)
    wait_until_ready(address(old))
    next_version = copy(deployment.service, tmp_path)
    (models,) = next_version.folder.glob("src/*/models.py")
    edit(models, literal(*NEW_COLUMN[deployment.framework]))
    document = (next_version.folder / "docs/database.md").read_text(encoding="utf-8")
    for command in commands(sections(document, 3)["Change the schema"]):
        if not command.endswith("migrate"):
            run(command, next_version, DATABASE_URL=database.local_url, SECRET_KEY="secret")
    next_version.run("uv run pytest tests/test_migrate.py")
    image = build(next_version.folder, f"my-service:{deployment.framework}-next").name

    # Clients that never pause would measure how long a busy machine makes them wait for a connection.
    with Load.on(address(old), pause=0.1) as load:
        load.wait_for(requests // 3)
        database.migrate(image)
        load.wait_for(requests // 3)
        new = deployment.start(*database.options, image=image)
        wait_until_ready(address(new))
        # As a reverse proxy does, which knows when the old one has no more requests.
        load.route_to(address(new))
        docker("stop", "--time=60", old)
        load.wait_for(requests // 3)

    # A probe also fails when a busy machine takes more than 2.5 s for it.
    assert load.outcomes() - {("/readyz", 503)} == ALL_ANSWERED
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


@pytest.mark.slow
def test_service_works_behind_pgbouncer(deployment, database, tmp_path):
    """With the settings that docs/database.md names."""
    document = (deployment.service.folder / "docs/database.md").read_text(encoding="utf-8")
    settings = re.findall(r"`((?:max_prepared|ignore_startup)\w+ = \w+)`", document)
    assert len(settings) == 2
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text("\n".join([PGBOUNCER, *settings, ""]), encoding="utf-8")
    secret = [f"--secret=id=ca-certificates,src={CERTIFICATES}"] if CERTIFICATES.is_file() else []
    command = ["docker", "buildx", "build", "--load", "--tag=pgbouncer:for-tests", *secret, "-"]
    subprocess.run(command, input=PGBOUNCER_IMAGE, check=True, text=True, capture_output=True)
    database.migrate(deployment.image.name)
    volume = f"--volume={configuration}:/pgbouncer.ini:ro"
    docker(
        "run", "--detach", f"--network={database.network}", "--network-alias=pgbouncer", volume, "pgbouncer:for-tests"
    )
    url = Database.url("pgbouncer:6432")
    container = deployment.start(*database.options, f"--env=DATABASE_URL={url}", "--env=WEB_CONCURRENCY=4")
    wait_until_ready(address(container))

    with Load.on(address(container)) as load:
        load.wait_for(1500)

    assert load.outcomes() == ALL_ANSWERED
    assert written(load) == stored(database)


def test_compose_runs_all_of_it_and_reloads_code(deployment, tmp_path):
    """By the steps of docs/database.md."""
    service = copy(deployment.service, tmp_path)
    git(service.folder, "init", "--quiet")
    commit(service.folder)
    port = free_port()
    # Another test may run the same service.
    service.env = {**service.env, "PORT": str(port), "COMPOSE_PROJECT_NAME": f"test-{uuid4().hex}"}
    document = sections((service.folder / "docs/database.md").read_text(encoding="utf-8"), 2)["On your machine"]
    secrets, up, backup, restore = commands(document)

    try:
        run(secrets, service)
        assert git(service.folder, "status", "--porcelain") == ""
        run(up, service)
        assert fetch("127.0.0.1", "/notes", NOTE, port, {"X-Request-ID": "abc-1"})[0] == 201
        if deployment.jobs:
            job = wait_for_lines(service, "worker", 1, event="job", request_id="abc-1")
            assert [line["status"] for line in job] == ["done"]
        (note,) = fetch("127.0.0.1", "/notes", port=port)[1]
        run(backup, service)
        fetch("127.0.0.1", "/notes", NOTE, port)
        run(restore, service)
        assert fetch("127.0.0.1", "/notes", port=port) == (200, [note])

        # Only the proxy can be reached, and only from this machine.
        containers = [json.loads(line) for line in run("docker compose ps --format=json", service).splitlines()]
        published = {each["Service"]: each["Publishers"] for each in containers}
        of_jobs = {"worker", "reload-worker"} if deployment.jobs else set()
        assert published.keys() == {"database", "web", "proxy", "reload", *of_jobs}
        assert {port["URL"] for ports in published.values() for port in ports or [] if port["PublishedPort"]} == {
            "127.0.0.1"
        }
        assert [name for name, ports in published.items() if any(port["PublishedPort"] for port in ports or [])] == [
            "proxy"
        ]
        # The secrets are in no container's settings, and nothing was logged twice or without reason.
        password = (service.folder / ".secrets/database-password").read_text().strip()
        assert password not in "".join(docker("inspect", each["ID"]) for each in containers)
        assert password not in run("docker compose logs", service)
        request = '{"event": "request", "method": "POST", "path": "/notes", "status": 201'
        assert run("docker compose logs --no-log-prefix web", service).count(request) == 2

        (module,) = (file for file in service.folder.glob("src/*/*.py") if file.name in {"app.py", "views.py"})
        edit(module, ("My Service", "Changed"))
        deadline = time.monotonic() + 30
        while fetch("127.0.0.1", "/", port=port)[1].get("title") != "Changed":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        if deployment.jobs:
            wait_for_lines(service, "worker", 2, event="worker starts")

        run("docker compose down", service)
        run("docker compose --file compose.yaml up --wait", service)
        assert fetch("127.0.0.1", "/", port=port)[1]["title"] == "My Service"
        assert fetch("127.0.0.1", "/notes", port=port) == (200, [note])
    finally:
        print(run("docker compose logs", service))
        run("docker compose down --volumes", service)


def literal(text: str, replacement: str) -> tuple[str, str]:
    """Return a pattern for a text, and its replacement."""
    return re.escape(text), replacement


def wait_for_lines(service: Service, container: str, times: int, **values: str) -> list[dict[str, Any]]:
    """Wait until the log of a container of Compose has lines with these values, and return them."""
    deadline = time.monotonic() + 30
    while True:
        log = run(f"docker compose logs --no-log-prefix {container}", service)
        # Compose puts a control sequence before each line.
        lines = map(json.loads, re.findall(r"{.*}", log))
        found = [line for line in lines if values.items() <= line.items()]
        if len(found) >= times:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.2)


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


def processes(container: str) -> set[str]:
    """Return the IDs of the workers."""
    return {*docker("exec", container, "cat", "/proc/1/task/1/children").split()}
