"""Measure the template's image beside those that one would write instead, in turn, and write the figures.

The values go to benchmarks/results.json; the tables and the chart made from them to the page of evidence.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import copying
import measures
import report
from contenders import DEFAULT, STACKS, TEMPLATE, docker
from machine import MissingError, container_engine, service_python
from measures import say

PYTHON = "3.13"  # the default services'
ROUNDS = {**measures.ROUNDS, "copy": 9}
PARTS = [*measures.PARTS, "copy"]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frameworks", action="store_true", help="measure the other frameworks and servers instead")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds of each part, such as 2 to try the script")
    parser.add_argument("--report", action="store_true", help="only make the tables and the chart, from stored values")
    options = parser.parse_args()
    if not options.report:
        rounds = {part: options.rounds or number for part, number in ROUNDS.items()}
        started = time.monotonic()
        measure(list(STACKS)[1:] if options.frameworks else [DEFAULT], options.part or PARTS, rounds)
        say(f"{(time.monotonic() - started) / 60:.1f} minutes\n")
    report.write()


def measure(stacks: list[str], parts: list[str], rounds: dict[str, int]) -> None:
    """Measure the *parts* of the *stacks*, and store the values beside those of the others."""
    results = report.load()
    facts = describe()
    if facts["load"] > report.BUSY:
        say(f"The load is {facts['load']:.1f}: measured times mean little while the machine is busy.")
    os.environ.pop("VIRTUAL_ENV", None)  # this script's, not the service's
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        if set(parts) & set(measures.PARTS):
            os.environ["UV_PYTHON"] = service_python(PYTHON)
            with container_engine():
                for number, stack in enumerate(stacks):
                    found = measures.measure(stack, parts, rounds, folder / str(number))
                    stored = results["stacks"].setdefault(stack, {})
                    for contender, values in found.items():
                        stored.setdefault(contender, {}).update(values)
                    results["facts"][stack] = {**facts, "engine": describe_engine()}
                    report.store(results)
        if "copy" in parts and DEFAULT in stacks:
            results["copying"] = copying.measure(rounds["copy"])
            results["facts"]["copying"] = {**facts, "engine": f"Copier {version('copier')}"}
            report.store(results)


def describe() -> dict[str, Any]:
    """Return what is measured, when and where."""
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    commit = ["git", "-C", str(TEMPLATE), "describe", "--always", "--dirty", "--exclude=*"]
    return {
        "date": str(datetime.now(UTC).date()),
        "commit": subprocess.run(commit, check=True, stdout=subprocess.PIPE, text=True).stdout.strip(),
        "processor": next(iter(models), platform.machine()),
        "cores": os.cpu_count(),
        "kernel": platform.release().partition("-")[0],
        "load": round(os.getloadavg()[0], 1),
    }


def describe_engine() -> str:
    """Return the engine's name, version and storage."""
    return docker("info", "--format=Docker {{.ServerVersion}} ({{.Driver}})")


if __name__ == "__main__":
    try:
        main()
    except MissingError as error:
        sys.exit(str(error))
