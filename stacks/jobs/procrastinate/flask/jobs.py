app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(kwargs=connection_parameters()),
    import_paths=[f"{__package__}.tasks"],
)
# Queues jobs on given connections, so it has none of its own.
_manager = JobManager(procrastinate.SyncPsycopgConnector())


def defer(
    session: Session, task: Task[..., Any, ...] | JobDeferrer, **arguments: Any
) -> int:
    """Queue a job for a task, which may be configured, and return the job's number.

    It exists, and can be done, once the session's transaction is committed.
    """
    deferrer = task.configure() if isinstance(task, Task) else task
    deferrer.connection = session.connection().connection.driver_connection
    deferrer.job_manager = _manager
    try:
        job = deferrer.defer(**with_request_id(arguments))
    except ConnectorException as error:
        raise OperationalError(None, None, error.__cause__ or error) from error
    log.info("job queued", task=deferrer.job.task_name, job_id=job)
    return job
