"""Keep a copy of the new version that Copier renders for its merge, so that settle.py needn't render it again.

keep.py FOLDER

Copier runs this in each folder that it renders in an update: the service, which is in a Git repository, and temporary
folders, which aren't. The new version is the last of these.
The exit status is always 0: settle.py doesn't depend on it.
"""

import shutil
import sys
from contextlib import suppress
from pathlib import Path

KEPT = "rendered"


def main() -> None:
    """Copy the current folder, completely or not at all."""
    here, folder = Path.cwd(), Path(sys.argv[1])
    if any((parent / ".git").exists() for parent in (here, *here.parents)):
        return
    for old in (folder / "incomplete", folder / KEPT):
        shutil.rmtree(old, ignore_errors=True)
    with suppress(OSError):  # such as a full disk
        shutil.copytree(here, folder / "incomplete", symlinks=True)
        (folder / "incomplete").rename(folder / KEPT)


if __name__ == "__main__":
    main()
