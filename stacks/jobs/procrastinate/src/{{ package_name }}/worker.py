"""What a worker does beside the jobs: their log lines, and those that were interrupted."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from procrastinate import App, RetryStrategy
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.middleware import AsyncCallNext
from procrastinate.worker import Worker
from psycopg import OperationalError

# Seconds in which a stop lets jobs end. The container's own stop timeout is longer.
STOP_TIMEOUT = 25
# Seconds without a heartbeat after which a worker is considered dead. While its last
# jobs end, a worker sends none.
SILENCE = 60
# A job that has begun so often is given up when its worker dies: it may be the cause.
MOST_ATTEMPTS = 5

log = structlog.get_logger()


class LibraryLog(logging.Handler):
    """Writes the library's warnings without the arguments of jobs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on, except for the error of a job, which log_job has written."""
        if job := record.__dict__.pop("job", None):
            record.__dict__["task"] = job["task_name"]
        if getattr(record, "action", "") != "job_error":
            logging.getLogger().handle(record)


library = logging.getLogger("procrastinate")
library.setLevel(logging.WARNING)
library.propagate = False
library.handlers = [LibraryLog()]


async def log_job(call_next: AsyncCallNext, context: JobContext, _: Worker) -> Any:
    """Run a job, and log it with the ID of the request that queued it."""
    job, task = context.job, context.task
    # Each job has context variables of its own. The ID is no argument of the task.
    structlog.contextvars.bind_contextvars(task=task.name, job_id=job.id)
    if request_id := job.task_kwargs.pop("request_id", None):
        structlog.contextvars.bind_contextvars(request_id=request_id)
    started = time.perf_counter()
    write = log.info
    result: dict[str, Any] = {"status": "done"}
    try:
        return await call_next()
    except BaseException as error:
        write, result = log.error, {"status": "failed", "exc_info": error}
        if context.abort_reason() == AbortReason.SHUTDOWN:
            # The library would drop it if its task has no `retry`.
            task.retry_strategy = RetryStrategy()
            write, result = log.warning, {"status": "interrupted"}
        elif task.get_retry_exception(error, job):
            write, result["status"] = log.warning, "retried"
        raise
    finally:
        duration = round(time.perf_counter() - started, 6)
        if task.func is not retry_stalled_jobs:
            write("job", attempt=job.attempts + 1, duration=duration, **result)


class Manager(JobManager):
    """Records what becomes of jobs, also if the database is away at that time."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Record that a job has ended."""
        await insist(super().finish_job, job, status, delete_job)

    async def retry_job(self, job: Job, *args: Any, **options: Any) -> None:
        """Queue a job again."""
        try:
            await insist(super().retry_job, job, *args, **options)
        except UniqueViolation:
            # Another one has its queueing lock by now. This one would stay in progress.
            await self.finish_job(job, Status.FAILED, delete_job=False)


async def insist(
    change: Callable[..., Awaitable[None]], *args: Any, **options: Any
) -> None:
    """Try until the database can be used: else the job would stay in progress."""
    while True:
        try:
            return await change(*args, **options)
        except ConnectorException as error:
            if not isinstance(error.__cause__, OperationalError):
                raise
            log.warning("database unavailable", reason=str(error.__cause__))
            await asyncio.sleep(1)


async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Queue the jobs again whose worker has died, such as by SIGKILL."""
    manager = context.app.job_manager
    stalled = await manager.get_stalled_jobs(seconds_since_heartbeat=SILENCE)
    for position, job in enumerate(stalled):
        log.warning("worker died", task=job.task_name, job_id=job.id)
        if job.attempts + 1 >= MOST_ATTEMPTS:
            await manager.finish_job(job, Status.FAILED, delete_job=False)
            continue
        # Apart from each other when it happens again: one of them may be the cause.
        delay = timedelta(seconds=30 * position * job.attempts)
        await manager.retry_job(job, retry_at=datetime.now(UTC) + delay)


def set_up(app: App) -> None:
    """Add all this to the app."""
    app.job_manager = Manager(app.connector)
    # Variables such as PROCRASTINATE_WORKER_CONCURRENCY override these:
    # https://procrastinate.readthedocs.io/en/stable/howto/basics/command_line.html
    app.worker_defaults |= {
        "concurrency": 4,
        "delete_jobs": "successful",
        "shutdown_graceful_timeout": STOP_TIMEOUT,
        "stalled_worker_timeout": SILENCE,
        "worker_middleware": [log_job],
    }
    task = app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
    app.periodic(cron="* * * * *")(task(retry_stalled_jobs))
