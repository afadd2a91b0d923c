"""Preview of an adoption: which files `copier copy` would add and change in an existing service. See docs/how-to/adopt.md."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from .adoption_warnings import warnings
from .clones import changes, clone_service, committed
from .errors import PreviewError, one_line
from .template import git_url


def show_adoption(options: argparse.Namespace, work: Path) -> int:
    """Print the files that `copier copy` would add, change and leave alone, and warnings; return the exit status."""
    clone, uncommitted = clone_service(options.folder, work)
    if uncommitted:
        raise PreviewError(f"{options.folder} has uncommitted changes, which an adoption could overwrite: commit them")
    copy_template(options.template, clone, options.options)
    found = changes(clone)
    own = committed(clone)
    lists = {
        "added": found.added,
        "changed": found.changed,
        "left alone": sorted(own - {*found.changed, *found.removed}),
        "warnings": list(dict.fromkeys(warnings(clone, own, found))),
    }
    print_lists(lists, as_json=options.json)
    if unsaved := [path for path in found.added if os.path.lexists(options.folder / path)]:
        raise PreviewError(f"git doesn't have these files, which would be overwritten: {', '.join(unsaved)}")
    return 0


def copy_template(template: str, clone: Path, options: list[str]) -> None:
    """Run `copier copy` on a clone, with the user's options.

    Raises:
        PreviewError: Copier fails.
    """
    url = git_url(template) if Path(template).exists() else template
    flags = [flag for flag in ("--defaults", "--overwrite", "--skip-tasks", "--trust") if flag not in options]
    copier = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "copier", "copy", "--quiet", *flags, *options, url, clone],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if copier.returncode:
        raise PreviewError(f"copier copy fails: {one_line(copier.stderr)}")


def print_lists(lists: dict[str, list[str]], *, as_json: bool) -> None:
    """Print each list with its heading and length, or all of them as JSON."""
    if as_json:
        print(json.dumps({name.replace(" ", "_"): lines for name, lines in lists.items()}, indent=2))
        return
    for name, lines in lists.items():
        print(f"{name}: {len(lines)}", *(f"  {line}" for line in lines), sep="\n")
