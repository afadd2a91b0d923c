"""Make tables and a chart of the stored values, in the page of evidence and on the terminal."""

import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median, quantiles

from contenders import ARTICLE, DEFAULT, OURS, STACKS, TEMPLATE
from rich.console import Console
from rich.markdown import Markdown

RESULTS = Path(__file__).resolve().parent / "results.json"
PAGE = TEMPLATE / "docs/evidence.md"
CHART = PAGE.with_name("figures.svg")
START, END = "<!-- figures -->\n", "<!-- /figures -->\n"
BUSY = 0.5  # the load average above which a machine isn't idle

Values = dict[str, list[float]]  # by measure


def milliseconds(number: float) -> str:
    """Format a duration in seconds."""
    return f"{number * 1000:,.0f} ms" if number < 10 else f"{number:.1f} s"


def size(number: float) -> str:
    """Format a number of bytes."""
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"


def rate(number: float) -> str:
    """Format a number of requests per second."""
    return f"{number:,.0f}/s"


def times(number: float) -> str:
    """Format a ratio."""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


@dataclass(frozen=True)
class Measure:
    """What is measured, and the limit that it has to keep."""

    name: str
    title: str
    format: Callable[[float], str]
    most: float = math.inf  # itself
    most_ratio: float = math.inf  # to the article's
    least_ratio: float = 0

    def limit(self, values: list[float], ratios: list[float]) -> str:
        """Return the limit and whether it holds."""
        limits = [
            (f"at most {self.format(self.most)}", median(values) <= self.most, self.most < math.inf),
            (f"ratio at most {times(self.most_ratio)}", median(ratios) <= self.most_ratio, self.most_ratio < math.inf),
            (f"ratio at least {times(self.least_ratio)}", median(ratios) >= self.least_ratio, self.least_ratio > 0),
        ]
        return "; ".join(f"{text}: {'holds' if holds else '**exceeded**'}" for text, holds, exists in limits if exists)


MEASURES = [
    Measure("start", "`docker run` to the first 200", milliseconds, most_ratio=1.10),
    Measure("rebuild", "rebuild after a changed line of code", milliseconds, most_ratio=0.4),
    Measure("layers", "new layers after it", size, most=40e3),
    Measure("layers, compressed", "the same, compressed", size),
    Measure("size", "image above its base image", size, most=45e6),
    Measure("rate 1", "rate on 1 connection", rate, least_ratio=0.95),
    Measure("rate 16", "rate on 16 connections", rate, least_ratio=0.95),
    Measure("memory", "memory after the load", size, most_ratio=1.9),
]
CHARTED = ["start", "rebuild", "layers", "size", "rate 16", "memory"]


def load() -> dict:
    """Return the stored values."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"facts": {}, "stacks": {}}


def store(results: dict) -> None:
    """Store the values, those of a measure on one line."""
    text = json.dumps(results, indent=1)
    text = re.sub(r"\[\s+([^\]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")


def spread(values: list[float]) -> str:
    """Format the median of ratios, with their quartiles if there are enough that differ."""
    middle = times(median(values))
    if len(values) < 4:
        return middle
    low, _, high = map(times, quantiles(values, n=4))
    return middle if low == high else f"{middle} ({low} to {high})"


def ratios(ours: list[float], other: list[float]) -> list[float]:
    """Return the ratio of each round."""
    return [one / another for one, another in zip(ours, other, strict=True)]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def contenders_table(found: dict[str, Values]) -> str:
    """Return the table of the default service: all contenders, and the limits."""
    rows = []
    for measure in MEASURES:
        if measure.name in found[OURS]:
            ours = found[OURS][measure.name]
            compared = ratios(ours, found[ARTICLE][measure.name])
            cells = [measure.format(median(values[measure.name])) for values in found.values()]
            rows.append([measure.title, *cells, spread(compared), measure.limit(ours, compared)])
    return table(["", *found, f"{OURS} / {ARTICLE}", "limit"], rows)


def frameworks_table(stacks: dict[str, dict[str, Values]]) -> str:
    """Return the table of the other stacks: for each measure the template's value, the article's and their ratio."""
    rows = []
    for stack, found in stacks.items():
        for measure in MEASURES:
            if measure.name in found[OURS]:
                ours, article = (found[name][measure.name] for name in (OURS, ARTICLE))
                cells = [measure.format(median(values)) for values in (ours, article)]
                rows.append([stack, measure.title, *cells, spread(ratios(ours, article))])
    return table(["", "", OURS, ARTICLE, "ratio"], rows)


def copying_table(found: dict[str, Values]) -> str:
    """Return the table of Copier's commands."""
    rows = []
    for command, ours in found["template"].items():
        bare = found["bare"][command]
        cells = [milliseconds(median(values)) for values in (ours, bare)]
        rows.append([f"`copier {command}`", *cells, spread(ratios(ours, bare))])
    return table(["", "this template", "a template of one file", "ratio"], rows)


def about(facts: dict) -> str:
    """Describe when and where something was measured."""
    busy = f", **on a busy machine (load {facts['load']:.1f})**" if facts["load"] > BUSY else ""
    return (
        f"{facts['date']}, commit {facts['commit']}{busy}: {facts['processor']}, {facts['cores']} cores, Linux "
        f"{facts['kernel']}, {facts['engine']}.\n"
    )


def chart(found: dict[str, Values]) -> str:
    """Draw the medians of the default service: a panel for each measure, a bar for each contender."""
    columns, width, bar, label = 3, 300, 18, 84
    height = 46 + bar * len(found)
    parts = []
    shown = [measure for measure in MEASURES if measure.name in CHARTED and measure.name in found[OURS]]
    for place, measure in enumerate(shown):
        left, top = 12 + place % columns * width, 10 + place // columns * height
        title = escape(measure.title.replace("`", ""))
        parts.append(f'<text class="title" x="{left}" y="{top + 16}">{title}</text>')
        middles = {name: median(values[measure.name]) for name, values in found.items()}
        for line, (name, value) in enumerate(middles.items()):
            y, long = top + 26 + line * bar, max(1.5, (width - label - 90) * value / max(middles.values()))
            kind = "ours" if name == OURS else "other"
            parts.append(f'<text class="name" x="{left + label - 6}" y="{y + 11}">{escape(name)}</text>')
            parts.append(f'<rect class="{kind}" x="{left + label}" y="{y}" width="{long:.1f}" height="13"/>')
            parts.append(f'<text x="{left + label + long + 5:.1f}" y="{y + 11}">{measure.format(value)}</text>')
    across, down = columns * width + 12, 10 + height * math.ceil(len(shown) / columns)
    style = """
    text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .title { font-weight: 600 } .name { text-anchor: end; fill: #59636e }
    .back { fill: #ffffff } .ours { fill: #0969da } .other { fill: #a7b0ba }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .name { fill: #9198a1 }
      .back { fill: #0d1117 } .ours { fill: #4493f8 } .other { fill: #59636e }
    }"""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across}" height="{down}" '
        f'role="img" aria-label="Medians of the template and of the alternatives">\n<style>{style}\n</style>\n'
        f'<rect class="back" width="{across}" height="{down}" rx="6"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def write() -> None:
    """Write the tables between the markers of the page, draw the chart, and print the tables."""
    results = load()
    facts, stacks = results["facts"], results["stacks"]
    text = ""
    if DEFAULT in stacks:
        text += f"![Medians as bars]({CHART.name})\n\n{DEFAULT}. {about(facts[DEFAULT])}\n{contenders_table(stacks[DEFAULT])}\n"
    if others := {name: stacks[name] for name in STACKS if name in stacks and name != DEFAULT}:
        text += f"The other frameworks and servers. {about(facts[next(iter(others))])}\n{frameworks_table(others)}\n"
    if "copying" in results:
        text += f"Copy and update. {about(facts['copying'])}\n{copying_table(results['copying'])}\n"
    if DEFAULT in stacks:
        CHART.write_text(chart(stacks[DEFAULT]), encoding="utf-8")
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, end, tail = rest.partition(END)
    if not end:
        sys.exit(f"{PAGE} has no {START.strip()} and {END.strip()} for the tables")
    PAGE.write_text(f"{head}{start}\n{text}{end}{tail}", encoding="utf-8")
    Console(width=160).print(Markdown(text.partition("\n\n")[2]))
    print(f"\nThe values are in {RESULTS}, the tables in {PAGE}.")
