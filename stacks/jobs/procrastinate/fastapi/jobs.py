app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(kwargs=connection_parameters()),
    import_paths=[f"{__package__}.tasks"],
)


async def defer(
    session: AsyncSession, task: Task[..., Any, ...], **arguments: Any
) -> int:
    """Queue a job, and return its number.

    It exists, and can be done, once the session's transaction is committed.
    """
    pooled = await (await session.connection()).get_raw_connection()
    deferrer = task.configure(connection=pooled.driver_connection)
    try:
        job = await deferrer.defer_async(**with_request_id(arguments))
    except ConnectorException as error:
        raise OperationalError(None, None, error.__cause__ or error) from error
    log.info("job queued", task=task.name, job_id=job)
    return job
