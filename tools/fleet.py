# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "copier==9.19.1",
#     "copier-template-extensions==0.3.4",
#     "jinja2-time==0.2.0",
# ]
# ///
"""Show which services are behind the template, and which of their files an update would leave in conflict.

    uv run tools/fleet.py [--trust] [--vcs-ref REF] SERVICE…

A SERVICE is the path or the URL of a Git repository. Its last commit is cloned and updated there, without the template's
tasks: the service itself doesn't change. The exit status is 1 if an update conflicts or fails.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ANSWERS = ".copier-answers.yml"


class FleetError(Exception):
    """A service can't be cloned or updated; the message tells why."""


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("services", metavar="SERVICE", nargs="+")
    parser.add_argument("--vcs-ref", metavar="REF", help="the template's version; the newest by default")
    parser.add_argument(
        "--trust", action="store_true", help="run code of the template that each service names, like `copier update`"
    )
    options = parser.parse_args()
    update = ["--trust"] if options.trust else []
    if options.vcs_ref:
        update.append(f"--vcs-ref={options.vcs_ref}")
    status = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda service: preview(service, update), options.services)
        for service, (good, result) in zip(options.services, results, strict=True):
            print(f"{service}: {result}", flush=True)
            status |= not good
    return status


def preview(service: str, options: list[str]) -> tuple[bool, str]:
    """Update a clone of *service* with *options*; return whether that needs nobody, and the result in one line."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        try:
            return update_clone(service, Path(folder) / "service", options)
        except FleetError as error:
            return False, f"error: {error}"


def update_clone(service: str, clone: Path, options: list[str]) -> tuple[bool, str]:
    """Clone *service* and update the clone; return what `preview` does.

    Raises:
        FleetError: The service can't be cloned or updated.
    """
    run("git", "clone", "--quiet", "--", service, str(clone))
    before = version(clone)
    run(sys.executable, "-m", "copier", "update", "--defaults", "--quiet", "--skip-tasks", *options, str(clone))
    after = version(clone)
    if files := sorted(set(conflicts(clone))):
        return False, f"conflicts from {before} to {after}: {', '.join(files)}"
    return True, f"up to date: {before}" if before == after else f"behind: {before}, updates to {after}"


def version(clone: Path) -> str:
    """Return the template's version in a service's answers.

    Raises:
        FleetError: There is none.
    """
    answers = clone / ANSWERS
    if not answers.is_file():
        raise FleetError(f"there is no {ANSWERS}, so the service wasn't made by Copier")
    found = re.search(r"^_commit: *['\"]?([^'\"\n]+)", answers.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise FleetError(f"{ANSWERS} names no version (_commit)")
    return found[1]


def conflicts(clone: Path) -> Iterator[str]:
    """Yield the files that git regards as unmerged, and those with changes that couldn't be applied."""
    yield from run("git", "-C", str(clone), "diff", "-z", "--name-only", "--diff-filter=U").split("\0")[:-1]
    for file in run("git", "-C", str(clone), "ls-files", "-z", "--others", "--", "*.rej").split("\0")[:-1]:
        yield file.removesuffix(".rej")


def run(*command: str) -> str:
    """Run a command, which can't ask for anything, and return its output.

    Raises:
        FleetError: It fails; the message is the end of its own.
    """
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    result = subprocess.run(
        command,
        env=env,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
    )
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise FleetError(lines[-1])
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
