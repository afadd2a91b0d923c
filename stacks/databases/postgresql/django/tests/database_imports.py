import json
import os
import re
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from {{ package_name }} import database
from {{ package_name }}.logs import configure_logging
from {{ package_name }}.postgresql import base
