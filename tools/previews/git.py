"""Git commands."""

import os
import subprocess
from pathlib import Path

from .errors import PreviewError, one_line


def git(folder: Path, *arguments: str | Path, failing: str = "") -> str:
    """Run git in a folder and return its output.

    Args:
        folder: Where to run it.
        *arguments: The git command and its arguments.
        failing: What it means when the command fails; the error message begins with it.

    Raises:
        PreviewError: The command fails.
    """
    command = ["git", "-C", folder, *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if result.returncode:
        details = one_line(os.fsdecode(result.stderr))
        raise PreviewError(": ".join(filter(None, (failing, details))) or f"git {arguments[0]} fails")
    return os.fsdecode(result.stdout).removesuffix("\n")


def git_paths(folder: Path, *arguments: str) -> set[str]:
    """Return the paths that a git command prints."""
    return set(filter(None, git(folder, arguments[0], "-z", *arguments[1:]).split("\0")))
