"""What users meet around a copy: an error without a traceback, and a template that a later update finds."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import Environment

# What Copier raises for an answer from --data or --data-file. It is a ValueError, and Copier prints a message alone only
# of its own errors.
_REFUSAL = re.compile("Validation error for question |Invalid choice for ")


def findable(source: str) -> str:
    """Return where a template lies, so that Copier finds it from any folder: a relative path becomes absolute."""
    return os.path.abspath(source) if os.path.exists(source) else source


def show_refusal(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an error that ends Python: for an answer that can't be used, its message alone."""
    if isinstance(error, ValueError) and _REFUSAL.match(str(error)):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


class CopyingExtension(Extension):
    """The filter `findable`, and how refused answers are shown."""

    def __init__(self, environment: Environment) -> None:
        """Register the filter, and the hook where nobody else has one."""
        super().__init__(environment)
        environment.filters["findable"] = findable
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = show_refusal
