__all__ = ["app", "defer"]

# Queues jobs on Django's connection, in a worker, too.
_manager = JobManager(DjangoConnector())


def defer(task: Task[..., Any, ...] | JobDeferrer, **arguments: Any) -> int:
    """Queue a job for a task, which may be configured, and return the job's number.

    Within a transaction, it exists, and can be done, once that is committed.
    """
    deferrer = task.configure() if isinstance(task, Task) else task
    deferrer.job_manager = _manager
    try:
        job = deferrer.defer(**with_request_id(arguments))
    except ConnectorException as error:
        raise OperationalError(str(error.__cause__ or error)) from error
    log.info("job queued", task=deferrer.job.task_name, job_id=job)
    return job
