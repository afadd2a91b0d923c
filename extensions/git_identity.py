"""Git's configuration, for defaults that say who is asking."""

from __future__ import annotations

import subprocess
import unicodedata
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

TIMEOUT = 2  # seconds


def git_config(key: str) -> str:
    """Return a value of Git's configuration, or nothing where there is none to use.

    Git runs where the user runs Copier, so a repository's own configuration counts there as it does for a commit.
    """
    try:
        git = subprocess.run(
            ["git", "config", "--get", key],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
        value = git.stdout.decode().strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        # No git, no such value, a configuration that git can't read: a default isn't worth a complaint.
        return ""
    unprintable = any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in value)
    return "" if unprintable else value


class GitIdentityExtension(Extension):
    """The global `git_config`."""

    def __init__(self, environment: Environment) -> None:
        """Register the global."""
        super().__init__(environment)
        environment.globals["git_config"] = git_config
