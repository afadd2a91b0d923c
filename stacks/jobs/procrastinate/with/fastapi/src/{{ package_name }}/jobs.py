"""The queue of background jobs, in the database. Their functions are in tasks.py."""

from typing import Any

import procrastinate
import structlog
from procrastinate.jobs import JobDeferrer
from procrastinate.tasks import Task
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from .config import Config
from .database import make_engine
from .logs import configure
from .postgresql import parameters
from .worker import set_up

log = structlog.get_logger()
# For tasks: `async with jobs.Session() as session`. A worker binds it to an engine.
Session = async_sessionmaker(expire_on_commit=False)


def open_pool(**options: Any) -> AsyncConnectionPool:
    """Connect one of Procrastinate's commands, such as `worker`, to the database."""
    config = Config()
    configure(config.log_level, config.log_format)
    url = config.database_url.get_secret_value()
    Session.configure(bind=make_engine(url))
    return AsyncConnectionPool(
        kwargs=parameters(url), min_size=1, max_size=2, **options
    )


app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(pool_factory=open_pool),
    import_paths=[f"{__package__}.tasks"],
)
set_up(app)


async def defer(
    session: AsyncSession, task: Task[..., Any, ...] | JobDeferrer, **arguments: Any
) -> int:
    """Queue a job for a task, which may be configured, and return the job's number.

    It exists once the session's transaction is committed.
    """
    deferrer = task.configure() if isinstance(task, Task) else task
    connection = await (await session.connection()).get_raw_connection()
    deferrer.connection = connection.driver_connection
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        arguments["request_id"] = request_id
    job_id = await deferrer.defer_async(**arguments)
    log.info("job queued", task=deferrer.job.task_name, job_id=job_id)
    return job_id
