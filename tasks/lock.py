"""Make uv.lock in the current folder, or report how to make it. Runs after a copy and after an update.

The exit status is always 0: Copier deletes a new service if a task fails.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pythons import find_python

# Longer than any resolution takes: it bounds the wait for an index that doesn't respond.
TIMEOUT = float(os.environ.get("LOCK_TIMEOUT", "120"))  # seconds

# The files that the lock depends on, and Copier's conflict markers in them.
SOURCES = ("pyproject.toml", ".python-version")
CONFLICT = re.compile("^(<{7} before|>{7} after) updating", re.MULTILINE)

# Variables that refer to Copier's own environment, or keep uv from writing the file.
NOT_FOR_UV = {"VIRTUAL_ENV", "UV_FROZEN", "UV_LOCKED"}


def main() -> None:
    """Lock, and print the result in one line."""
    if files := " and ".join(file for file in SOURCES if in_conflict(Path(file))):
        say(f"uv.lock is unchanged: resolve the conflict in {files}, then run `uv lock`.")
        return
    # In an update, there is a lock already.
    undone = "is not up to date" if Path("uv.lock").exists() else "was not made"
    # Inside `uvx`, uv may not be on PATH; it sets the variable UV to its own path.
    uv = shutil.which("uv") or os.environ.get("UV")
    if not uv:
        say(f"uv.lock {undone}: there is no uv. Install it, then run `uv lock` in the service's folder.")
        return
    try:
        reason = lock(uv)
    except subprocess.TimeoutExpired as error:
        reason = f"uv took more than {error.timeout:.3g} s"
    except KeyboardInterrupt:
        reason = "uv was interrupted"
    except OSError as error:
        reason = f"uv does not start ({error})"
    if reason:
        say(f"uv.lock {undone}: {reason}. Fix that, then run `uv lock` in the service's folder.")
    else:
        say("uv.lock is up to date.")


def in_conflict(file: Path) -> bool:
    """Return whether an update left a conflict: markers in the file, or a `.rej` file next to it."""
    if file.with_name(f"{file.name}.rej").exists():
        return True
    return file.is_file() and bool(CONFLICT.search(file.read_text(encoding="utf-8", errors="replace")))


def lock(uv: str) -> str | None:
    """Run `uv lock`, whose output the user sees. Return the reason if it fails, else None.

    Raises:
        subprocess.TimeoutExpired: uv takes longer than the timeout.
        OSError: uv doesn't start.
    """
    command = [uv, "lock"]
    # Without this file, uv finds a Python that pyproject.toml allows.
    version_file = Path(".python-version")
    version = version_file.read_text(encoding="utf-8").strip() if version_file.is_file() else ""
    python = find_python(version, uv) if version else None
    if python:
        command += ["--python", python]
    env = {name: text for name, text in os.environ.items() if name not in NOT_FOR_UV}
    # A company's certificates: uv reads this variable; Git, and pip in a build, which uv may start, read their own.
    if certificates := env.get("SSL_CERT_FILE"):
        env = {"GIT_SSL_CAINFO": certificates, "PIP_CERT": certificates, **env}
    status = subprocess.run(command, env=env, timeout=TIMEOUT, check=False).returncode
    if not status:
        return None
    if version and not python and not find_python(version, uv):
        return f"there is no Python {version} on this machine, and uv could not fetch one"
    return f"uv ended with exit status {status}" if status > 0 else f"uv was killed by signal {-status}"


def say(message: str) -> None:
    """Print a message to standard error, like Copier's own messages."""
    print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
