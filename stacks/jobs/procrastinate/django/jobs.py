__all__ = ["app", "defer"]

# Queues jobs on Django's connection, in a worker, too.
_manager = JobManager(DjangoConnector())


def defer(task: Task[..., Any, ...], **arguments: Any) -> int:
    """Queue a job, and return its number.

    Within a transaction, it exists, and can be done, once that is committed.
    """
    deferrer = task.configure()
    deferrer.job_manager = _manager
    try:
        job = deferrer.defer(**with_request_id(arguments))
    except ConnectorException as error:
        raise OperationalError(str(error.__cause__ or error)) from error
    log.info("job queued", task=task.name, job_id=job)
    return job
