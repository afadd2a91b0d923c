"""Makes uv.lock in the current folder, or says how: runs after a copy and an update.

It never fails: Copier deletes a new service when a task does.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pythons import find_python

# Longer than any resolution takes; an index that doesn't answer is given up then.
TIMEOUT = float(os.environ.get("LOCK_TIMEOUT", "120"))  # seconds

# What the lock follows from, and Copier's marks where an update left it in conflict.
SOURCES = ("pyproject.toml", ".python-version")
CONFLICT = re.compile("^(<{7} before|>{7} after) updating", re.MULTILINE)

# They belong to Copier, or keep uv from writing the file.
NOT_FOR_UV = {"VIRTUAL_ENV", "UV_FROZEN", "UV_LOCKED"}


def main() -> None:
    """Lock, and end with one line that says what came of it."""
    if files := " and ".join(file for file in SOURCES if in_conflict(Path(file))):
        say(f"uv.lock is as it was: resolve the conflict in {files}, then run `uv lock`.")
        return
    # Of an update, the lock is there already.
    undone = "is not up to date" if Path("uv.lock").exists() else "was not made"
    # Inside `uvx`, uv may not be on PATH; it says where it is.
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
        say(f"uv.lock {undone}: {reason}. Mend that, then run `uv lock` in the service's folder.")
    else:
        say("uv.lock is up to date.")


def in_conflict(file: Path) -> bool:
    """Say whether an update left a conflict, in the file or beside it."""
    if file.with_name(f"{file.name}.rej").exists():
        return True
    return file.is_file() and bool(CONFLICT.search(file.read_text(encoding="utf-8", errors="replace")))


def lock(uv: str) -> str | None:
    """Run uv, which reports by itself; give the reason if it fails."""
    command = [uv, "lock"]
    # A service may do without the file: then uv finds a Python that pyproject.toml allows.
    version_file = Path(".python-version")
    version = version_file.read_text(encoding="utf-8").strip() if version_file.is_file() else ""
    python = find_python(version, uv) if version else None
    if python:
        command += ["--python", python]
    env = {name: text for name, text in os.environ.items() if name not in NOT_FOR_UV}
    # A company's certificates: uv reads this variable, and what it may start, Git or pip in a build, reads its own.
    if certificates := env.get("SSL_CERT_FILE"):
        env = {"GIT_SSL_CAINFO": certificates, "PIP_CERT": certificates, **env}
    status = subprocess.run(command, env=env, timeout=TIMEOUT, check=False).returncode
    if not status:
        return None
    if version and not python and not find_python(version, uv):
        return f"there is no Python {version} on this machine, and uv could not fetch one"
    return f"uv ended with exit status {status}" if status > 0 else f"uv was killed by signal {-status}"


def say(message: str) -> None:
    """Write where Copier's own messages go."""
    print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
