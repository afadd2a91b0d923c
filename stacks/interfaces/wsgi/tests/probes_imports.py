from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from unittest.mock import Mock
from wsgiref.util import setup_testing_defaults
