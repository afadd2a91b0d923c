"""Jobs, done by workers that are stopped, killed, and cut off from their database."""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from building import build, docker
from deployments import Database, Deployment, copy
from support import edit

JOBS = 1000
CONCURRENCY = 4
LONGEST = 240  # seconds
# What the worker states: a worker is considered dead after 30 seconds, and looked for every 10.
RESCUED_WITHIN = 45

# A task that notes when it begins and ends, one that queues it, and one that happens each second.
TASKS = {
    "flask": """
def note(number: int, event: str) -> None:
    with Session.begin() as session:
        values = {"number": number, "event": event}
        session.execute(text("INSERT INTO runs VALUES (:number, :event)"), values)


@app.task
def record(number: int) -> None:
    note(number, "begins")
    time.sleep(0.1)
    note(number, "ends")


@app.task
def queue(number: int) -> None:
    with Session.begin() as session:
        jobs.defer(session, record, number=number)


@app.periodic(cron="* * * * * *")
@app.task
def tick(timestamp: int) -> None:
    note(timestamp, "ticks")
""",
    "fastapi": """
async def note(number: int, event: str) -> None:
    async with Session.begin() as session:
        values = {"number": number, "event": event}
        await session.execute(text("INSERT INTO runs VALUES (:number, :event)"), values)


@app.task
async def record(number: int) -> None:
    await note(number, "begins")
    await asyncio.sleep(0.1)
    await note(number, "ends")


@app.task
async def queue(number: int) -> None:
    async with Session.begin() as session:
        await jobs.defer(session, record, number=number)


@app.periodic(cron="* * * * * *")
@app.task
async def tick(timestamp: int) -> None:
    await note(timestamp, "ticks")
""",
    "django": """
def note(number: int, event: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO runs VALUES (%s, %s)", [number, event])


@app.task
def record(number: int) -> None:
    note(number, "begins")
    time.sleep(0.1)
    note(number, "ends")


@app.task
def queue(number: int) -> None:
    with transaction.atomic():
        jobs.defer(record, number=number)


@app.periodic(cron="* * * * * *")
@app.task
def tick(timestamp: int) -> None:
    note(timestamp, "ticks")
""",
}
IMPORTS = {
    "flask": "import time\nfrom sqlalchemy import text\nfrom . import jobs\nfrom .database import Session\n",
    "fastapi": "import asyncio\nfrom sqlalchemy import text\nfrom . import jobs\nfrom .database import Session\n",
    "django": "import time\nfrom django.db import connection, transaction\nfrom . import jobs\n",
}


@dataclass
class Workers:
    """Two workers, one of which is replaced again and again."""

    deployment: Deployment
    database: Database
    image: str
    running: list[str] = field(default_factory=list)

    def start(self) -> str:
        """Start another worker."""
        options = [*self.database.options, f"--env=WORKER_CONCURRENCY={CONCURRENCY}", "--stop-timeout=40"]
        container = self.deployment.start(*options, image=self.image, command=["worker"])
        self.running.append(container)
        return container

    def replace(self, *end: str) -> None:
        """End the older one with a command of the engine's client, when some more jobs are done, and start another."""
        older = self.running.pop(0)
        before = runs(self.database)["ends"].total()
        wait_for(lambda: runs(self.database)["ends"].total() >= min(before + 20, JOBS))
        docker(*end, older)
        if end[0] == "stop":
            assert json.loads(docker("inspect", older))[0]["State"]["ExitCode"] == 0
        self.start()


@pytest.fixture
def workers(deployment, database, tmp_path) -> Workers:
    """Make an image with the tasks of these tests, and start two workers."""
    service = copy(deployment.service, tmp_path)
    tasks = service.folder / "src/my_service/tasks.py"
    edit(tasks, (r'"""\n\n', r"\g<0>" + IMPORTS[deployment.framework]))
    with tasks.open("a") as file:
        file.write(TASKS[deployment.framework])
    image = build(service.folder, f"my-service:{deployment.framework}-jobs").name
    database.migrate(image)
    database.execute("CREATE TABLE runs (number int, event text)")
    workers = Workers(deployment, database, image)
    workers.start()
    workers.start()
    return workers


def test_stopped_workers_do_each_job_once(workers: Workers, database: Database):
    queue(database, "record", JOBS)
    stops = 0
    while len(runs(database)["ends"]) < JOBS * 0.8:
        workers.replace("stop")
        stops += 1
    # What a job queues is done, too.
    queue(database, "queue", 10, first=JOBS + 1)
    wait_for(lambda: not unfinished(database))

    assert stops >= 3
    each_once = Counter(range(1, JOBS + 11))
    found = runs(database)
    assert (found["begins"], found["ends"]) == (each_once, each_once)
    # On a schedule, too, each happens once, however many workers there are.
    assert len(found["ticks"]) > stops
    assert {*found["ticks"].values()} == {1}


def test_jobs_of_killed_workers_are_done_again(workers: Workers, database: Database):
    queue(database, "record", JOBS)
    kills = 0
    while len(runs(database)["ends"]) < JOBS * 0.8:
        workers.replace("kill")
        kills += 1
    wait_for(lambda: not unfinished(database))

    begun, ended = runs(database)["begins"], runs(database)["ends"]
    assert ended.keys() == begun.keys() == {*range(1, JOBS + 1)}
    # No more than were in progress: they began twice, and those whose end wasn't recorded ended twice.
    print(f"{kills} killed: {begun.total() - JOBS} jobs began again, {ended.total() - JOBS} of them had ended")
    assert kills >= 3
    assert 0 < begun.total() - JOBS <= kills * CONCURRENCY
    assert ended.total() <= begun.total()


def test_worker_outlives_its_database(deployment, database):
    database.migrate(deployment.image.name)
    worker = deployment.start(*database.options, command=["worker"])
    queue(database, "announce", 1)
    wait_for(lambda: not unfinished(database))

    docker("stop", database.container)
    wait_for(lambda: '"database unavailable"' in docker("logs", worker))
    docker("start", database.container)
    database.wait()
    queue(database, "announce", 1)

    wait_for(lambda: not unfinished(database), RESCUED_WITHIN)
    assert docker("logs", worker).count('"event": "new note"') == 2
    assert "only-for-tests" not in docker("logs", worker)
    docker("stop", "--time=40", worker)
    assert json.loads(docker("inspect", worker))[0]["State"]["ExitCode"] == 0


def queue(database: Database, task: str, number: int, first: int = 1) -> None:
    """Queue jobs for a task, which are numbered."""
    argument = "note_id" if task == "announce" else "number"
    database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        f" SELECT 'default', 'my_service.tasks.{task}', jsonb_build_object('{argument}', n)"
        f" FROM generate_series({first}, {first + number - 1}) n"
    )


def unfinished(database: Database) -> list[str]:
    """Return the jobs that aren't done."""
    return database.execute(
        "SELECT id, status, task_name FROM procrastinate_jobs WHERE task_name <> 'rescue' AND task_name NOT LIKE '%tick'"
    )


def runs(database: Database) -> dict[str, Counter[int]]:
    """Return how often each job began and ended."""
    found: dict[str, Counter[int]] = {"begins": Counter(), "ends": Counter(), "ticks": Counter()}
    for row in database.execute("SELECT number, event FROM runs"):
        number, event = re.fullmatch(r"(\d+)\|(\w+)", row).groups()
        found[event][int(number)] += 1
    return found


def wait_for(condition, seconds: float = LONGEST) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
