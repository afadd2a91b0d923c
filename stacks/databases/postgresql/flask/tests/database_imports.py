import json
import re
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, text

from {{ package_name }} import database
from {{ package_name }}.logs import configure_logging
