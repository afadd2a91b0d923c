from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from wsgiref.util import setup_testing_defaults
