"""Git's configuration, for the defaults of the author's name and address."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

TIMEOUT = 2  # seconds


def git_config(key: str) -> str:
    """Return a value of Git's configuration, with that of the current repository, or an empty string."""
    command = ["git", "config", "--get", key]
    try:
        git = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT)
        return git.stdout.decode().strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        # No git, no such value, a configuration that git can't read: a missing default is no reason to fail.
        return ""


class GitIdentityExtension(Extension):
    """The global `git_config`."""

    def __init__(self, environment: Environment) -> None:
        """Register the global."""
        super().__init__(environment)
        environment.globals["git_config"] = git_config
