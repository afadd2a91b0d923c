{% if stack.jobs.name %}
from procrastinate.schema import SchemaManager
{% endif %}
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from .logs import log_uncaught
from .migrate import alembic_config, session, start
