"""Temporary clones of services, and what Copier changes in them."""

from dataclasses import dataclass, field
from pathlib import Path

from .errors import PreviewError
from .git import git, git_paths


@dataclass
class Changes:
    """The paths of the files that differ from a clone's last commit."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def clone_service(service: Path, work: Path) -> tuple[Path, bool]:
    """Clone a service's last commit.

    Returns:
        The service's folder in the clone, which is a subfolder if the service's repository holds more than the service;
        and whether the service has uncommitted changes.

    Raises:
        PreviewError: The service isn't committed.
    """
    top = Path(git(service, "rev-parse", "--show-toplevel", failing="it is in no git repository"))
    git(service, "rev-parse", "--verify", "HEAD", failing="it has no commit")
    uncommitted = bool(git(service, "status", "--porcelain", "--", "."))
    clone = work / "clone"
    # A clone that shared objects with the service would update their timestamps.
    git(work, "clone", "--quiet", "--no-local", "--depth=1", "--no-tags", "--", top, clone)
    inside = clone / service.resolve().relative_to(top.resolve())
    if not inside.is_dir():
        raise PreviewError("it is not committed")
    return inside, uncommitted


def commit(clone: Path) -> None:
    """Commit all files of a clone, whatever the user's git configuration says about commits."""
    git(clone, "add", "--all", "--force", ".")
    identity = ("-c", "user.name=preview", "-c", "user.email=preview")
    git(clone, *identity, "commit", "--quiet", "--allow-empty", "--message=preview")


def committed(clone: Path) -> set[str]:
    """Return the paths of the files in a clone's last commit."""
    return git_paths(clone, "ls-tree", "-r", "--name-only", "HEAD")


def changes(clone: Path) -> Changes:
    """Compare a clone's files with its last commit."""
    git(clone, "add", "--all", "--", ".", ":(exclude,glob)**/*.rej")
    diff = git(clone, "diff", "--cached", "--name-status", "--no-renames", "--relative", "-z", "HEAD").split("\0")
    found = dict(zip(diff[1::2], diff[::2], strict=False))
    added, removed = (sorted(path for path in found if found[path] == kind) for kind in "AD")
    changed = sorted(found.keys() - {*added, *removed})
    return Changes(added, changed, removed)
