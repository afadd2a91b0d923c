"""Error messages without a traceback, and template paths that a later update can find."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import Environment

# Copier raises a ValueError for an invalid answer from --data or --data-file. It omits the traceback only for its own
# exception types.
_REFUSAL = re.compile("Validation error for question |Invalid choice for ")


def findable(source: str) -> str:
    """Return a template's URL, or its absolute path, which Copier finds from any folder."""
    return os.path.abspath(source) if os.path.exists(source) else source


def show_refusal(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an uncaught exception: for an invalid answer only the message, otherwise the traceback, too."""
    if isinstance(error, ValueError) and _REFUSAL.match(str(error)):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


class CopyingExtension(Extension):
    """The filter `findable`, and an exception hook for invalid answers."""

    def __init__(self, environment: Environment) -> None:
        """Register the filter, and the hook unless another one is installed."""
        super().__init__(environment)
        environment.filters["findable"] = findable
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = show_refusal
