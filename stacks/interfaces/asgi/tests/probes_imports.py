from collections.abc import Callable
from threading import get_ident
