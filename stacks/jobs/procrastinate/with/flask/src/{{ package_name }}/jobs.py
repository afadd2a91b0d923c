"""The queue of background jobs, in the database. Their functions are in tasks.py."""

from functools import cache
from typing import Any

import environ
import procrastinate
import structlog
from flask import Flask
from procrastinate.job_context import JobContext
from procrastinate.jobs import JobDeferrer
from procrastinate.manager import JobManager
from procrastinate.middleware import SyncCallNext
from procrastinate.tasks import Task
from procrastinate.worker import Worker
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.orm import Session

from .config import Config
from .postgresql import parameters
from .worker import set_up

log = structlog.get_logger()


@cache
def service() -> Flask:
    """Return the application, for tasks."""
    from .app import create_app

    return create_app()


def in_service(call_next: SyncCallNext, _: JobContext, __: Worker) -> Any:
    """Give a task the application's context, and so a session."""
    with service().app_context():
        return call_next()


def open_pool(**options: Any) -> AsyncConnectionPool:
    """Connect one of Procrastinate's commands, such as `worker`, to the database."""
    try:
        service()
    except environ.MissingEnvValueError as error:
        # Procrastinate shows the text alone.
        raise ValueError(f"missing: {error}") from error
    url = environ.to_config(Config).database_url
    return AsyncConnectionPool(
        kwargs=parameters(url), min_size=1, max_size=2, **options
    )


app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(pool_factory=open_pool),
    import_paths=[f"{__package__}.tasks"],
    worker_defaults={"task_middleware": [in_service]},
)
set_up(app)
# Queues jobs on given connections, so it has none of its own.
manager = JobManager(procrastinate.SyncPsycopgConnector())


def defer(
    session: Session, task: Task[..., Any, ...] | JobDeferrer, **arguments: Any
) -> int:
    """Queue a job for a task, which may be configured, and return the job's number.

    It exists once the session's transaction is committed.
    """
    deferrer = task.configure() if isinstance(task, Task) else task
    deferrer.job_manager = manager
    deferrer.connection = session.connection().connection.driver_connection
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        arguments["request_id"] = request_id
    job_id = deferrer.defer(**arguments)
    log.info("job queued", task=deferrer.job.task_name, job_id=job_id)
    return job_id
