import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from container.postgresql import new_database
{% if stack.jobs.name %}
from procrastinate.schema import SchemaManager
{% endif %}
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import NullPool, create_engine

from {{ package_name }}.migrate import (
    LOCK,
    RefusedError,
    alembic_config,
    lock,
    query,
    upgrade,
)
