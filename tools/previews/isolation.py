"""An environment in which git and Copier leave nothing behind."""

import os
import shutil
import tempfile
from pathlib import Path

# Copier's temporary folders are small. In memory, an update takes two thirds of the time that it takes on disk.
MEMORY = "/dev/shm"
GIT_SETTINGS = {
    # The clones are temporary: they need no hooks, no daemon that watches files, no maintenance and no signatures.
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
}


def temporary(place: str | Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """Create a temporary folder that is removed at the end."""
    return tempfile.TemporaryDirectory(prefix="preview-", dir=place, ignore_cleanup_errors=True)


def memory() -> str | None:
    """Return a folder in memory, if there is one."""
    return MEMORY if os.access(MEMORY, os.W_OK) else None


def isolate(work: Path, scratch: Path) -> None:
    """Set this process's environment so that git and Copier change neither the services nor anything else."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "UV"):
        os.environ.pop(name, None)
    # A preview needs no lock, but --skip-tasks doesn't skip the migration that makes one: give it a uv that fails at once.
    (work / "bin").mkdir()
    (work / "bin/uv").symlink_to(shutil.which("false") or "/bin/false")
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for number, (name, value) in enumerate(GIT_SETTINGS.items(), first):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    os.environ |= {
        "GIT_CONFIG_COUNT": str(first + len(GIT_SETTINGS)),
        "PATH": f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(scratch),
        # Otherwise git status would refresh the service's index.
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "NO_COLOR": "1",
    }
