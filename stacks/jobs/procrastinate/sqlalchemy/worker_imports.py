{% if stack.settings.module %}
import {{ stack.settings.module }}
{% endif %}
import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker
from psycopg_pool import AsyncConnectionPool

from .config import Config
from .logs import configure_logging, log_uncaught
