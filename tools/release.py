"""Cut a release: give CHANGELOG.md's unreleased changes a version, tag that commit, and record it in releases.toml.

The commit before must have passed `make test-all`. `make test` then tests the release, including updates from it. If a
step fails, all steps are undone.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

CHANGELOG = Path("CHANGELOG.md")
TABLE = Path("releases.toml")
TESTED = Path(".pytest_cache/tested")  # the commit that passed `make test-all` last, from tools/tested.py
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class ReleaseError(Exception):
    """The release can't be cut; the message tells what to do."""


def main() -> None:
    """Check, then release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="such as 1.0.0")
    parser.add_argument("--check", help="the command that has to pass instead (for tests of this script)")
    options = parser.parse_args()
    try:
        check(options.version)
        if not options.check and not tested():
            raise ReleaseError("run `make test-all` first, and commit the table that it writes to docs/evidence.md")
        release(options.version, options.check or "make test")
    except ReleaseError as error:
        sys.exit(f"No release: {error}.")
    print(f"Released {options.version}. Publish it:\n\n    git push --atomic origin main v{options.version}")


def check(version: str) -> None:
    """Check that the release can be cut.

    Raises:
        ReleaseError: It can't.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f'"{version}" is not a version: give three numbers, as in VERSION=1.0.0')
    released = {tag.removeprefix("v") for tag in git("tag", "--list").split()} | tomllib.loads(TABLE.read_text()).keys()
    latest = max(filter(VERSION.fullmatch, released), key=numbers, default="0.0.0")
    if numbers(version) <= numbers(latest):
        raise ReleaseError(f"{version} is not above {latest}, the latest release: choose a higher version")
    if (branch := git("branch", "--show-current")) != "main":
        raise ReleaseError(f'releases are cut from main, and this is "{branch}": run `git switch main`')
    if changes := git("status", "--porcelain"):
        raise ReleaseError(f"there are uncommitted changes: commit or stash them\n{changes}")
    unreleased = UNRELEASED.search(CHANGELOG.read_text(encoding="utf-8"))
    if not unreleased or not re.search(r"^[-\w]", unreleased[1], re.MULTILINE):
        raise ReleaseError(f'{CHANGELOG} has nothing under "## Unreleased": write what changes for users')


def tested() -> bool:
    """Return whether `make test-all` has passed, and nothing has changed since but the page with its result."""
    return TESTED.is_file() and not git(
        "diff", "--name-only", TESTED.read_text(encoding="utf-8"), "--", ":!docs/evidence.md"
    )


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, for comparisons."""
    return tuple(map(int, version.split(".")))


def release(version: str, test: str) -> None:
    """Commit the changelog, tag the commit, commit the table, and run the command *test*.

    Raises:
        ReleaseError: A step failed; all steps are undone.
    """
    start, tag, message = git("rev-parse", "HEAD"), f"v{version}", f"Release {version}"
    try:
        heading = f"## Unreleased\n\n## {version} ({datetime.now(UTC).date()})\n"
        changelog = CHANGELOG.read_text(encoding="utf-8")
        CHANGELOG.write_text(changelog.replace("## Unreleased\n", heading, 1), encoding="utf-8")
        git("commit", "--quiet", "--message", message, CHANGELOG)
        git("tag", "--annotate", "--message", message, tag)
        with TABLE.open("a", encoding="utf-8") as table:
            table.write(f'"{version}" = "{git("rev-parse", "HEAD")}"\n')
        git("commit", "--quiet", "--message", f"Record the commit of {version}", TABLE)
        recorded = git("rev-parse", "HEAD")
        if subprocess.run(test, shell=True, check=False).returncode:
            raise ReleaseError(f"`{test}` failed: fix what it names")
        if git("status", "--porcelain") or git("rev-parse", "HEAD") != recorded:
            raise ReleaseError(f"`{test}` changed the working tree: it must not")
    except BaseException:
        # Keep other files: they may have been edited while the tests ran.
        git("reset", "--quiet", "--soft", start)
        git("checkout", "--quiet", start, "--", CHANGELOG, TABLE)
        if git("tag", "--list", tag):
            git("tag", "--delete", tag)
        raise


def git(*command: str | Path) -> str:
    """Run git and return its output.

    Raises:
        ReleaseError: It fails.
    """
    result = subprocess.run(["git", *command], check=False, capture_output=True, text=True)
    if result.returncode:
        raise ReleaseError(f"`git {command[0]}` failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout.strip()


if __name__ == "__main__":
    main()
