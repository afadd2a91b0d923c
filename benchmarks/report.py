"""Make the tables and the chart of docs/evidence/benchmarks.md from results.json."""

import json
import textwrap
from collections.abc import Callable
from html import escape
from pathlib import Path
from statistics import median, quantiles

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
DOCS = HERE.parent / "docs" / "evidence"
PAGE, CHART = DOCS / "benchmarks.md", DOCS / "benchmarks.svg"
START, END = "<!-- made by benchmarks/run.py -->\n", "<!-- end -->\n"

Results = dict[str, dict]  # by contender


def seconds(number: float) -> str:
    """Format a duration."""
    return f"{number:.2f} s" if number < 10 else f"{number:.1f} s"


def size(number: float) -> str:
    """Format a number of bytes."""
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"


def count(number: float) -> str:
    """Format a count."""
    return f"{number:g}"


MEASURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "cold": ("cold build", seconds),
    "code": ("rebuild after a code change", seconds),
    "code and push": ("… with the push to a registry", seconds),
    "steps": ("steps that are rerun after a code change", count),
    "new bytes": ("new layers after a code change", size),
    "new bytes, packed": ("… compressed, as pushed", size),
    "dependency": ("rebuild after a dependency change", seconds),
    "image": ("image", size),
    "added": ("image without the base image", size),
    "image, packed": ("image, compressed", size),
    "start": ("`docker run` to the first 200", seconds),
}
CHARTED = ["cold", "code", "code and push", "dependency", "new bytes", "added", "start"]


def values(result: dict, measure: str) -> list[float]:
    """Return the measured values, in the order of the rounds."""
    if measure == "added":
        return [result["image"] - result["base"]]
    found = result.get(measure, [])
    return found if isinstance(found, list) else [found]


def cell(results: Results, contender: str, measure: str) -> str:
    """Format the median with its range, and the ratio to the template's with the quartiles of the rounds' ratios."""
    write = MEASURES[measure][1]
    own, template = values(results[contender], measure), values(results["template"], measure)
    if not own:
        return "-"
    text = write(median(own)) + spread(min(own), max(own), write)
    if contender == "template" or measure == "steps":
        return text
    text += f"<br>ratio {times(ratio(own, template))}"
    if len(own) > 3:
        low, _, high = quantiles([a / b for a, b in zip(own, template, strict=True)], n=4)
        text += spread(low, high, times)
    return text


def spread(low: float, high: float, write: Callable[[float], str]) -> str:
    """Format a range, or return an empty string if both ends are formatted alike."""
    one, other = write(low), write(high)
    if one == other:
        return ""
    if one.split()[1:] == other.split()[1:]:
        one = one.split()[0]
    return f" ({one} to {other})"


def times(number: float) -> str:
    """Format a ratio."""
    return f"{number:.2f}" if number < 100 else f"{number:.0f}"


def ratio(one: list[float], other: list[float]) -> float:
    """Return the ratio of the medians."""
    return median(one) / median(other)


def table(results: Results) -> str:
    """Return a service's table."""
    lines = ["| | " + " | ".join(results) + " |", "| --- " * (len(results) + 1) + "|"]
    for measure, (title, _) in MEASURES.items():
        lines.append(f"| {title} | " + " | ".join(cell(results, name, measure) for name in results) + " |")
    offline = ["yes" if result["offline"] else "no" for result in results.values()]
    lines.append("| rebuilds after a code change without a network | " + " | ".join(offline) + " |")
    return "\n".join(lines) + "\n"


def promises(services: dict[str, Results]) -> str:
    """Return a table of the promised bounds, and whether they hold, for each service."""
    lines = ["| | bound | measured | holds |", "| --- | --- | --- | --- |"]

    def promise(service: str, title: str, bound: str, measured: str, holds: bool) -> None:
        lines.append(f"| {title}, {service} service | {bound} | {measured} | {'yes' if holds else '**no**'} |")

    for service, results in services.items():
        ours, rival = results["template"], results["two-stage uv"]
        promise(
            service,
            "rebuild after a code change, no network",
            "builds",
            "builds" if ours["offline"] else "fails",
            ours["offline"],
        )
        new = max(values(ours, "new bytes"))
        promise(service, "new layers after a code change", "under 64 kB", size(new), new < 64e3)
        measure, bound = ("code", 1) if service == "default" else ("code and push", 0.25)
        found = ratio(values(ours, measure), values(rival, measure))
        title = f"{MEASURES['code'][0]}{' and push' if measure != 'code' else ''}, against two-stage uv"
        promise(service, title, f"{bound} or less", f"{found:.2f}", found <= bound)
        found = ratio(values(ours, "cold"), values(rival, "cold"))
        promise(service, "cold build, against two-stage uv", "1.1 or less", f"{found:.2f}", found <= 1.1)
        rivals = [values(results[name], "start") for name in ("two-stage uv", "single-stage pip")]
        found = ratio(values(ours, "start"), min(rivals, key=median))
        promise(service, "first 200, against the fastest other", "1.1 or less", f"{found:.2f}", found <= 1.1)
    return "\n".join(lines) + "\n"


def machine(facts: dict) -> str:
    """Describe the machine and the images of the measurements."""
    images = " and ".join(f"`{image}`" for image in facts["images"])
    stand_ins = ", made on the machine as stand-ins by `tools/engine/engine stand-ins`" if facts["stand-ins"] else ""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory'] / 2**30:.0f} GB of memory, Linux "
        f"{facts['kernel']}; Docker {facts['engine']} with its {facts['storage']} storage; {images}{stand_ins}.\n"
    )


def chart(services: dict[str, Results]) -> str:
    """Draw the medians: a row for each measure, a column for each service, a bar for each contender."""
    width, row, top, bar = 860, 108, 40, 17
    column = width // len(services)
    parts = []
    for x, (service, results) in enumerate(services.items()):
        left = 16 + x * column
        parts.append(f'<text class="head" x="{left}" y="26">{escape(service)} service</text>')
        label, room = 108, column - 108 - 110
        for y, measure in enumerate(CHARTED):
            title, write = MEASURES[measure]
            if measure == "code and push":
                title = f"{MEASURES['code'][0]}, with push"
            above = top + y * row
            parts.append(f'<text class="title" x="{left}" y="{above + 18}">{escape(title.replace("`", ""))}</text>')
            found = {name: median(values(result, measure) or [0]) for name, result in results.items()}
            for place, (name, value) in enumerate(found.items()):
                line = above + 26 + place * bar
                long = max(1.5, room * value / max(found.values())) if value else 0
                kind = "ours" if name == "template" else "other"
                text = write(value) if value else "not measured"
                parts.append(f'<text class="name" x="{left + label - 8}" y="{line + 11}">{escape(name)}</text>')
                parts.append(f'<rect class="{kind}" x="{left + label}" y="{line}" width="{long:.1f}" height="12"/>')
                parts.append(f'<text class="value" x="{left + label + long + 6:.1f}" y="{line + 11}">{text}</text>')
    height = top + row * len(CHARTED) + 8
    style = """
    text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .head { font-size: 16px; font-weight: 600 } .title { font-weight: 600 }
    .name { text-anchor: end; fill: #59636e }
    .back { fill: #ffffff } .ours { fill: #0969da } .other { fill: #a7b0ba }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .name { fill: #9198a1 }
      .back { fill: #0d1117 } .ours { fill: #4493f8 } .other { fill: #59636e }
    }"""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Medians of all measures, template and alternatives">\n<style>{style}\n</style>\n'
        f'<rect class="back" width="{width}" height="{height}" rx="6"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def write() -> None:
    """Write the tables between the markers in the page, and draw the chart."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    services = found["services"]
    measured_on = f"Measured on: {machine(found['machine'])}"
    text = f"\n{textwrap.fill(measured_on, 120, break_on_hyphens=False)}\n\n"
    for service, results in services.items():
        rounds = {name: max(len(values(result, name)) for result in results.values()) for name in MEASURES}
        text += f"### The {service} service\n\n"
        text += f"Rounds: cold build {rounds['cold']}, code change {rounds['code']}, dependency change "
        text += f"{rounds['dependency']}, start {rounds['start']}.\n\n{table(results)}\n"
    text += f"### What is promised\n\n{promises(services)}\n"
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + START + text + END + after, encoding="utf-8")
    CHART.write_text(chart(services), encoding="utf-8")
