"""Write to docs/evidence.md what passed in `make test-all`: how many tests of each folder, when, and of which commit."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

RESULTS = [Path(".pytest_cache/results.xml"), Path(".pytest_cache/cluster.xml")]
PAGE = Path("docs/evidence.md")
TABLE = re.compile(r"(?<=<!-- tested -->\n).*(?=<!-- /tested -->)", re.DOTALL)
TESTED = Path(".pytest_cache/tested")  # for tools/release.py


def main() -> None:
    """Count the results, and write them."""
    passed, skipped, seconds = Counter(), Counter(), Counter()
    for case in (case for file in RESULTS for case in ET.parse(file).iter("testcase")):
        if case.find("failure") is not None or case.find("error") is not None:
            sys.exit(
                f"{case.attrib['classname']}.{case.attrib['name']} failed: {PAGE} has only runs in which all passed"
            )
        folder = "/".join(case.attrib["classname"].split(".")[:2])
        (skipped if case.find("skipped") is not None else passed)[folder] += 1
        seconds[folder] += float(case.attrib["time"])
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    rows = [f"| {name} | {passed[name]} | {skipped[name]} | {seconds[name] / 60:.1f} |" for name in sorted(seconds)]
    title = f"{datetime.now(UTC).date()}, commit {commit[:7]}{'-dirty' if changes else ''}, {os.cpu_count()} cores:"
    table = "\n".join([title, "", "| tests | passed | skipped | minutes of work |", "| --- | --- | --- | --- |", *rows])
    PAGE.write_text(TABLE.sub(f"\n{table}\n\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    if not changes:
        TESTED.write_text(commit, encoding="utf-8")


def git(*command: str) -> str:
    """Run git and return its output."""
    return subprocess.run(["git", *command], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    main()
