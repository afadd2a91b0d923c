"""Git's configuration, for the defaults of the author's name and address."""

from __future__ import annotations

import subprocess
import unicodedata
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

TIMEOUT = 2  # seconds


def git_config(key: str) -> str:
    """Return a value of Git's configuration, or an empty string if there is no usable one.

    Git runs in the user's working directory, so it also reads the configuration of a repository there.
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
        # No git, no such value, a configuration that git can't read: a missing default is no reason to fail.
        return ""
    unprintable = any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in value)
    return "" if unprintable else value


class GitIdentityExtension(Extension):
    """The global `git_config`."""

    def __init__(self, environment: Environment) -> None:
        """Register the global."""
        super().__init__(environment)
        environment.globals["git_config"] = git_config
