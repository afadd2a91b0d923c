"""Error messages without a traceback, template paths that a later update can find, and a folder for updates."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import Environment

# Copier raises a ValueError for an invalid answer from --data or --data-file. It omits the traceback only for its own
# exception types.
_REFUSAL = re.compile("Validation error for question |Invalid choice for ")
_FOLDER = "UV_DOCKER_TEMPLATE_UPDATE"


def findable(source: str) -> str:
    """Return a template's URL, or its absolute path, which Copier finds from any folder."""
    return os.path.abspath(source) if os.path.exists(source) else source


def update_folder() -> str:
    """Return a folder for the updates that this process makes, which is removed when it ends.

    Copier loads the extensions anew for each folder that it renders, so the path is kept in the environment.
    """
    folder = os.environ.get(_FOLDER, "")
    if not os.path.isdir(folder):
        folder = os.environ[_FOLDER] = tempfile.mkdtemp(prefix="update-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def show_refusal(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an uncaught exception: for an invalid answer only the message, otherwise the traceback, too."""
    if isinstance(error, ValueError) and _REFUSAL.match(str(error)):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


class CopyingExtension(Extension):
    """The filter `findable`, the function `update_folder`, and an exception hook for invalid answers."""

    def __init__(self, environment: Environment) -> None:
        """Register them, the hook unless another one is installed."""
        super().__init__(environment)
        environment.filters["findable"] = findable
        environment.globals["update_folder"] = update_folder
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = show_refusal
