"""The queue of background jobs, in the database. Their functions are in tasks.py."""

from typing import Any

import structlog
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.jobs import JobDeferrer
from procrastinate.manager import JobManager
from procrastinate.tasks import Task

__all__ = ["app", "defer"]
log = structlog.get_logger()
# Queues jobs on Django's connection, in a worker, too.
manager = JobManager(DjangoConnector())


def defer(task: Task[..., Any, ...] | JobDeferrer, **arguments: Any) -> int:
    """Queue a job for a task, which may be configured, and return the job's number.

    In a transaction, it exists once that is committed.
    """
    deferrer = task.configure() if isinstance(task, Task) else task
    deferrer.job_manager = manager
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        arguments["request_id"] = request_id
    job_id = deferrer.defer(**arguments)
    log.info("job queued", task=deferrer.job.task_name, job_id=job_id)
    return job_id
