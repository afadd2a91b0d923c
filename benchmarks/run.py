"""Measure the template's image beside those that one would write instead, its servers, and numbers of workers.

Everything is measured in turn (A B C A B C …), in one run, on the same base images. The results are stored in
benchmarks/results.json, and reported in docs/evidence/benchmarks.md, docs/evidence/workers.md and their charts.
"""

import argparse
import json
import tempfile
from pathlib import Path

import copying
import load
import report
import workers
from common import base_images, describe, docker, engine
from images import SERVICES, Bench, Service, few
from machine import say

PARTS = [*SERVICES, "servers", "load", "log", "workers", "copying"]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="rounds of a code change; the rest in proportion")
    parser.add_argument("--quick", action="store_true", help="one round, to test the script: no comparison")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; workers needs load")
    parser.add_argument("--render", action="store_true", help="only make the tables and the charts from stored results")
    parser.add_argument("--ordinary-engine", action="store_true", help="use Docker itself and EMPTY ITS BUILD CACHE")
    options = parser.parse_args()
    if not options.render:
        measure(1 if options.quick else options.rounds, options.part or PARTS, options.ordinary_engine)
    report.write()


def measure(rounds: int, parts: list[str], ordinary: bool) -> None:
    """Measure the *parts* and store the results beside those of the others."""
    results = json.loads(report.RESULTS.read_text(encoding="utf-8")) if report.RESULTS.is_file() else {"services": {}}

    def store() -> None:
        report.RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")

    with engine(ordinary=ordinary) as registry, tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        facts = describe()
        if set(parts) & set(SERVICES):
            results["machine"] = facts
        results.setdefault("processors", {}).update(dict.fromkeys(parts, facts["processor"]))
        for name in [part for part in parts if part in SERVICES]:
            # The heavy service is slow, and its results differ by factors: fewer rounds suffice.
            count = (rounds + 1) // 2 if SERVICES[name] else rounds
            say(f"the {name} service, {count} rounds")
            service = Service(folder / name / "my-service", SERVICES[name], few(count))
            results["machine"]["images"] = base_images(service.folder)
            bench = Bench(service, registry, count)
            stand_in = docker("image", "inspect", '--format={{index .Config.Labels "stand-in"}}', bench.base)
            results["machine"]["stand-ins"] = stand_in == "true"
            results["services"][name] = bench.measure()
            store()
        if "servers" in parts:
            results["servers"] = load.measure_starts(folder / "servers", rounds)
            store()
        if "load" in parts:
            results["load"] = load.measure(folder, few(rounds))
            store()
        if "log" in parts:
            results["log"] = load.measure_log(folder, rounds)
            store()
        if "workers" in parts:
            results["workers"] = workers.measure(few(rounds))
            store()
        if "copying" in parts:
            results["copying"] = copying.measure(folder, rounds)
            store()


if __name__ == "__main__":
    main()
