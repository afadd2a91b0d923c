app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(kwargs=connection_parameters()),
    import_paths=[f"{__package__}.tasks"],
)


async def defer(
    session: AsyncSession, task: Task[..., Any, ...] | JobDeferrer, **arguments: Any
) -> int:
    """Queue a job for a task, which may be configured, and return the job's number.

    It exists, and can be done, once the session's transaction is committed.
    """
    deferrer = task.configure() if isinstance(task, Task) else task
    pooled = await (await session.connection()).get_raw_connection()
    deferrer.connection = pooled.driver_connection
    try:
        job = await deferrer.defer_async(**with_request_id(arguments))
    except ConnectorException as error:
        raise OperationalError(None, None, error.__cause__ or error) from error
    log.info("job queued", task=deferrer.job.task_name, job_id=job)
    return job
