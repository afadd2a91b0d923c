"""Messages without a traceback, template paths that a later update finds, and Git's settings for Copier's merge."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import plumbum
from copier.errors import UserMessageError
from jinja2.ext import Extension

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import Environment

# Copier runs on Python 3.10, too; the extensions that are loaded after this one read TOML.
if sys.version_info < (3, 11):  # noqa: UP036
    raise UserMessageError("This template needs Copier on Python 3.11 or newer, for example by `uvx --python 3.13`.")

# Copier raises a ValueError for an invalid answer from --data or --data-file. It omits the traceback only for its own
# exception types.
_REFUSAL = re.compile("Validation error for question |Invalid choice for ")

# Copier 9.19.1 merges with `git diff-tree`, `git apply` and `git status`, which keep to the user's settings. With some
# of them it loses changes of a service without a message.
_GIT_SETTINGS = {
    # "error" drops all changes because of one trailing space.
    "apply.whitespace": "nowarn",
    # With "no", rejected changes stay in `.rej` files, instead of becoming conflicts.
    "status.showUntrackedFiles": "normal",
    # Files that these attributes mark as binary aren't merged.
    "core.attributesFile": os.devnull,
}


def findable(source: str) -> str:
    """Return a template's URL, or its absolute path, which Copier finds from any folder."""
    return os.path.abspath(source) if os.path.exists(source) else source


def show_refusal(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an uncaught exception: for an invalid answer only the message, otherwise the traceback, too."""
    if isinstance(error, ValueError) and _REFUSAL.match(str(error)):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def protect_merge() -> None:
    """Set Git's configuration for the processes that Copier starts; it takes their environment from plumbum."""
    env = plumbum.local.env
    # It overrides the number of context lines: with none, changes are applied to wrong lines.
    env.pop("GIT_DIFF_OPTS", None)
    first = int(env.get("GIT_CONFIG_COUNT") or 0)
    if env.get(f"GIT_CONFIG_KEY_{first - 1}") == list(_GIT_SETTINGS)[-1]:
        return  # Copier loads the extensions for each folder that it renders.
    for number, (key, setting) in enumerate(_GIT_SETTINGS.items(), first):
        env[f"GIT_CONFIG_KEY_{number}"], env[f"GIT_CONFIG_VALUE_{number}"] = key, setting
    env["GIT_CONFIG_COUNT"] = str(first + len(_GIT_SETTINGS))


class CopyingExtension(Extension):
    """The filter `findable`, an exception hook for invalid answers, and Git's settings."""

    def __init__(self, environment: Environment) -> None:
        """Register the filter, and the hook unless another one is installed."""
        super().__init__(environment)
        environment.filters["findable"] = findable
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = show_refusal
        protect_merge()
