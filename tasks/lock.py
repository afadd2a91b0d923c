"""Makes uv.lock in the current folder, or says how: runs after a copy and an update.

It never fails: Copier deletes a new service when a task does.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pythons import find_python

# Longer than any resolution takes; an index that doesn't answer is given up then.
TIMEOUT = float(os.environ.get("LOCK_TIMEOUT", "120"))  # seconds


def main() -> None:
    """Lock, and end with one line that says what came of it."""
    # Inside `uvx`, uv may not be on PATH; it says where it is.
    uv = shutil.which("uv") or os.environ.get("UV")
    if not uv:
        say("uv.lock was not made: there is no uv. Install it, then run `uv lock` in the service's folder.")
        return
    try:
        reason = lock(uv)
    except subprocess.TimeoutExpired:
        reason = f"uv took more than {TIMEOUT:g} s"
    except KeyboardInterrupt:
        reason = "uv was interrupted"
    except OSError as error:
        reason = f"uv does not start ({error})"
    if reason:
        say(f"uv.lock was not made: {reason}. Mend that, then run `uv lock` in the service's folder.")
    else:
        say("uv.lock is up to date.")


def lock(uv: str) -> str | None:
    """Run uv, which reports by itself; give the reason if it fails."""
    command = [uv, "lock"]
    version = Path(".python-version").read_text(encoding="utf-8").strip()
    python = find_python(version, uv)
    if python:
        command += ["--python", python]
    # What activates an environment here belongs to Copier, not to the service.
    env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    status = subprocess.run(command, env=env, timeout=TIMEOUT, check=False).returncode
    if not status:
        return None
    if not python and not find_python(version, uv):
        return f"there is no Python {version} on this machine, and uv could not fetch one"
    return f"uv ended with exit status {status}"


def say(message: str) -> None:
    """Write where Copier's own messages go."""
    print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
