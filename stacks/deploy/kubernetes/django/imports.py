from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper as Connection
from django.db.migrations.executor import MigrationExecutor

from .logs import log_uncaught
from .migrate import session, start
