"""Find the Python that a service runs on, including those that uv doesn't find."""

import os
import subprocess
from pathlib import Path

TIMEOUT = 30  # seconds


def find_python(version: str, uv: str) -> str | None:
    """Return the path of a Python of *version* ("3.13"), or None if there is none.

    uv's choice comes first. It skips versions in pyenv that aren't active, so these come second, the newest patch
    release first.

    Raises:
        subprocess.TimeoutExpired: uv hangs.
        OSError: uv doesn't start.
    """
    found = subprocess.run(
        [uv, "python", "find", "--system", "--no-project", "--no-python-downloads", version],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    if found.returncode == 0:
        return found.stdout.strip()
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    pythons = root.glob(f"versions/{version}.*/bin/python{version}")
    return str(max(pythons, key=_patch_release, default="")) or None


def _patch_release(python: Path) -> int:
    patch = python.parts[-3].rsplit(".", 1)[-1]
    return int(patch) if patch.isdecimal() else -1
