import inspect
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
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from {{ package_name }}.migrate import LOCK, RefusedError, lock

from .container.postgresql import new_database

pytestmark = pytest.mark.django_db
APP = "{{ package_name }}"
