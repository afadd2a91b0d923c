"""Jobs, done by workers that are stopped, killed, and cut off from their database."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from containers import Container, build_image, docker, running, wait_until
from support import Service, edit, locked, stacks

PACKAGE = "my_service"
LONGEST = 240  # seconds
CONCURRENCY = 4
STACKS = [("flask", "uwsgi"), ("django", "uwsgi"), ("fastapi", "granian")]
# What 0.9.0 and 1.0.0 keep of Procrastinate's migrations. These were released before 3.4.
OLDER_TABLES = """
import os, pathlib, psycopg
from procrastinate.schema import SchemaManager

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
    database.execute("CREATE TABLE procrastinate_migrations (name text PRIMARY KEY)")
    for file in sorted(pathlib.Path(SchemaManager.get_migrations_path()).glob("*.sql")):
        if file.name < "03.04":
            database.execute(file.read_text())
            database.execute("INSERT INTO procrastinate_migrations VALUES (%s)", [file.name])
"""
OLDER = {"flask": ("python", "-c", OLDER_TABLES), "django": ("django-admin", "migrate", "procrastinate", "0039")}
OLDER["fastapi"] = OLDER["flask"]
# A task that notes when it begins and ends, one that queues it, one that is repeated when it fails, and one that takes
# long the first time.
SYNC = """

@app.task
def record(number: int) -> None:
    note(number, "begins")
    time.sleep(0.2)
    note(number, "ends")


again = app.task(name=f"{__name__}.again", retry=RetryStrategy(max_attempts=9, wait=1))(record.func)


@app.task(pass_context=True)
def outlast(context, number: int) -> None:
    note(number, "begins")
    time.sleep(0 if context.job.attempts else 60)
    note(number, "ends")
"""
TASKS = {
    "flask": """
import time

from sqlalchemy import text

from . import jobs
from .database import session


def note(number, event):
    session.execute(text("INSERT INTO runs VALUES (:n, :e)"), {"n": number, "e": event})
    session.commit()


@app.task
def queue(number: int) -> None:
    jobs.defer(session, record, number=number)
    session.commit()
"""
    + SYNC,
    "django": """
import time

from django.db import connection, transaction

from . import jobs


def note(number, event):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO runs VALUES (%s, %s)", [number, event])


@app.task
def queue(number: int) -> None:
    with transaction.atomic():
        jobs.defer(record, number=number)
"""
    + SYNC,
    "fastapi": """
import asyncio

from sqlalchemy import text

from . import jobs


async def note(number, event):
    async with jobs.Session.begin() as session:
        await session.execute(text("INSERT INTO runs VALUES (:n, :e)"), {"n": number, "e": event})


@app.task
async def queue(number: int) -> None:
    async with jobs.Session.begin() as session:
        await jobs.defer(session, record, number=number)


@app.task
async def record(number: int) -> None:
    await note(number, "begins")
    await asyncio.sleep(0.2)
    await note(number, "ends")


again = app.task(name=f"{__name__}.again", retry=RetryStrategy(max_attempts=9, wait=1))(record.func)


@app.task(pass_context=True)
async def outlast(context, number: int) -> None:
    await note(number, "begins")
    await asyncio.sleep(0 if context.job.attempts else 60)
    await note(number, "ends")
""",
}


@dataclass
class Deployment:
    """A service with its database, in a network of its own, and its workers."""

    image: str
    network: str
    database: Container
    started: ExitStack

    @property
    def options(self) -> list[str]:
        """Return options of the service's containers."""
        settings = {
            "DATABASE_URL": "postgresql://app:secret@database/app",
            "SECRET_KEY": "secret-of-this-test",
            "PROCRASTINATE_WORKER_CONCURRENCY": str(CONCURRENCY),
        }
        return [f"--network={self.network}", *(f"--env={name}={value}" for name, value in settings.items())]

    def run(self, *command: str, options: tuple[str, ...] = (), ready: bool = False) -> Container:
        """Start a container of the service."""
        started = running(self.image, *self.options, *options, command=command, ready=ready)
        return self.started.enter_context(started)

    def query(self, sql: str, name: str = "app") -> list[str]:
        """Return the rows of a query, whose columns have bars between them."""
        return self.database.execute("psql", f"postgresql://app:secret@localhost/{name}", "-Atqc", sql).splitlines()

    def wait_for_database(self) -> None:
        """Wait until it responds."""
        ready = ("exec", self.database.id, "pg_isready", "--quiet", "--host=localhost")
        wait_until(lambda: subprocess.run(["docker", *ready], check=False, capture_output=True).returncode == 0)

    def queue(self, task: str, numbers: range) -> None:
        """Queue jobs for a task, which are numbered."""
        self.query(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            f" SELECT 'default', '{PACKAGE}.tasks.{task}', jsonb_build_object('number', n)"
            f" FROM generate_series({numbers.start}, {numbers.stop - 1}) n"
        )

    def wait_for_jobs(self) -> None:
        """Wait until all are done, and so deleted."""
        select = (
            "SELECT id, task_name, status, attempts FROM procrastinate_jobs WHERE task_name NOT LIKE '%stalled_jobs'"
        )
        wait_until(lambda: not self.query(select), select, LONGEST)

    def runs(self, event: str) -> Counter[int]:
        """Return how often each job began, or ended."""
        return Counter(map(int, self.query(f"SELECT number FROM runs WHERE event = '{event}'")))

    def replace_workers(self, end: str, jobs: int) -> int:
        """Keep two workers, and end the older one each time when some more jobs are done; return how often."""
        workers, times = [self.run("worker"), self.run("worker")], 0
        while (done := self.runs("ends").total()) < jobs * 0.8:
            wait_until(lambda done=done: self.runs("ends").total() >= min(done + 20, jobs), "20 jobs", LONGEST)
            older = workers.pop(0)
            docker(end, *(["--time=40"] if end == "stop" else []), older.id)
            assert older.exit_status() == (0 if end == "stop" else 137)
            workers.append(self.run("worker"))
            times += 1
        return times


@pytest.fixture(scope="module", params=stacks(STACKS))
def image(
    request: pytest.FixtureRequest, scaffold: Callable[..., Service], use_engine: None, shared_folder: Path
) -> str:
    """Build a service with the tasks, once for all workers of pytest."""
    framework, server = request.param
    tag = f"test-jobs-{framework}-{server}"
    with locked(shared_folder / f"{tag}.lock"):
        if not (made := shared_folder / tag).exists():
            answers = {"framework": framework, "server": server, "database": "postgresql", "jobs": "procrastinate"}
            service = scaffold(**answers, package_name=PACKAGE, dockerfile_syntax="")
            with (service.folder / f"src/{PACKAGE}/tasks.py").open("a", encoding="utf-8") as file:
                file.write(TASKS[framework])
            # A dead worker's jobs are done again after 12 to 22 seconds, not after one to two minutes.
            edit(
                service.folder / f"src/{PACKAGE}/worker.py",
                ("SILENCE = 60", "SILENCE = 12"),
                (r"\* \* \*\"", '* * * */10"'),
            )
            build_image(service.folder, tag)
            made.touch()
    return tag


@pytest.fixture(scope="module")
def database(image: str) -> Iterator[Deployment]:
    """Start a database, and let three containers migrate it at once."""
    with ExitStack() as stack:
        network = docker("network", "create", f"test-jobs-{uuid4().hex[:12]}")
        stack.callback(docker, "network", "rm", network)
        settings = ("--network-alias=database", "--env=POSTGRES_USER=app", "--env=POSTGRES_PASSWORD=secret")
        database = Container(docker("run", "--detach", f"--network={network}", *settings, "postgres:17"))
        stack.callback(docker, "rm", "--force", "--volumes", database.id)
        deployment = Deployment(image, network, database, stack.enter_context(ExitStack()))
        deployment.wait_for_database()
        migrations = [deployment.run("migrate") for _ in range(3)]
        assert [migration.output() for migration in migrations if migration.exit_status() != 0] == []
        deployment.query("CREATE TABLE runs (number int, event text)")
        yield deployment


@pytest.fixture
def deployment(database: Deployment) -> Iterator[Deployment]:
    """Remove the jobs and the workers of other tests."""
    database.query("TRUNCATE runs, procrastinate_jobs, procrastinate_workers CASCADE")
    with ExitStack() as started:
        yield replace(database, started=started)


@pytest.fixture
def jobs(request: pytest.FixtureRequest) -> int:
    """Return the number of jobs: many before a release."""
    return 1000 if request.config.getoption("slow") else 200


def test_stopped_workers_do_each_job_once(deployment: Deployment, jobs: int) -> None:
    deployment.queue("record", range(jobs))
    stops = deployment.replace_workers("stop", jobs)
    # What a job queues is done, too.
    deployment.queue("queue", range(jobs, jobs + 10))
    deployment.wait_for_jobs()

    each_once = Counter(range(jobs + 10))
    assert stops >= 3
    assert (deployment.runs("begins"), deployment.runs("ends")) == (each_once, each_once)


def test_jobs_of_killed_workers_are_done_again(deployment: Deployment, jobs: int) -> None:
    # One of a dead worker, too, whose queueing lock another one has, which waits for its lock.
    for status, task in ("doing", "announce"), ("todo", "announce"):
        deployment.query(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, lock, queueing_lock) VALUES"
            f" ('default', '{PACKAGE}.tasks.{task}', '{{\"note_id\": 1}}', '{status}', 'lock', 'queueing-lock')"
        )
    deployment.queue("record", range(jobs))
    kills = deployment.replace_workers("kill", jobs)
    wait_until(lambda: deployment.query("DELETE FROM procrastinate_jobs WHERE status = 'failed' RETURNING 1"), "one")
    deployment.wait_for_jobs()

    begun, ended = deployment.runs("begins"), deployment.runs("ends")
    print(f"{kills} killed: {begun.total() - jobs} jobs began again, {ended.total() - jobs} of them had ended")
    assert kills >= 3
    assert begun.keys() == ended.keys() == set(range(jobs))
    # No more than were in progress.
    assert 0 < begun.total() - jobs <= kills * CONCURRENCY


def test_job_that_outlasts_a_stop_is_done_again(deployment: Deployment) -> None:
    settings = ("--env=PROCRASTINATE_WORKER_SHUTDOWN_GRACEFUL_TIMEOUT=1",)
    worker = deployment.run("worker", options=settings)
    deployment.queue("outlast", range(1))
    wait_until(lambda: deployment.runs("begins"), "its begin")
    docker("stop", "--time=3", worker.id)
    assert not deployment.runs("ends")

    deployment.run("worker")
    deployment.wait_for_jobs()

    assert (deployment.runs("begins"), deployment.runs("ends")) == ({0: 2}, {0: 1})


def test_worker_goes_on_after_its_database_was_away(
    deployment: Deployment, jobs: int, request: pytest.FixtureRequest
) -> None:
    worker = deployment.run("worker", options=("--restart=unless-stopped",))
    deployment.queue("again", range(jobs))
    wait_until(lambda: deployment.runs("ends"), "a job")

    docker("stop", deployment.database.id)
    time.sleep(20 if request.config.getoption("slow") else 4)
    docker("start", deployment.database.id)
    deployment.wait_for_database()
    deployment.wait_for_jobs()

    assert deployment.runs("ends") == Counter(range(jobs))
    assert "secret" not in worker.output()


def test_log_has_the_request_id_and_no_arguments(deployment: Deployment) -> None:
    web, worker = deployment.run(ready=True), deployment.run("worker")
    body = json.dumps({"text": "Buy milk"})
    response = web.request("/notes", "POST", body, Content_Type="application/json", X_Request_ID="from-a-request")
    assert response.status == 201
    for task in "unknown", "record":
        deployment.query(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES"
            f" ('default', '{PACKAGE}.tasks.{task}', '{{\"nonsense\": \"argument-of-the-test\"}}')"
        )

    lines = wait_until(lambda: len(found := worker.lines()) >= 4 and found, "four lines")
    done = [line for line in lines if line.get("request_id") == "from-a-request"]
    assert [line["event"] for line in done] == ["new note", "job"]
    assert (done[1]["status"], done[1]["task"]) == ("done", f"{PACKAGE}.tasks.announce")
    assert len(deployment.query("SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'")) == 2
    assert "argument-of-the-test" not in worker.output()
    assert "note_id" not in web.output()


def test_tables_of_an_older_library_are_migrated(deployment: Deployment, image: str) -> None:
    deployment.query("CREATE DATABASE older")
    url = ("--env=DATABASE_URL=postgresql://app:secret@database/older",)
    for command in OLDER[image.split("-")[2]], ("migrate",), ("migrate",):
        container = deployment.run(*command, options=url)
        assert container.exit_status() == 0, container.output()

    functions = "SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%' ORDER BY 1"
    assert deployment.query(functions, "older") == deployment.query(functions)
