"""Make the tables and charts of docs/evidence/benchmarks.md and workers.md from results.json."""

import json
import textwrap
from collections.abc import Callable
from html import escape
from pathlib import Path
from statistics import median, quantiles

from images import OURS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
DOCS = HERE.parent / "docs" / "evidence"
PAGE, CHART = DOCS / "benchmarks.md", DOCS / "benchmarks.svg"
WORKERS_PAGE, WORKERS_CHART = DOCS / "workers.md", DOCS / "workers.svg"
START, END = "<!-- made by benchmarks/run.py -->\n", "<!-- end -->\n"

COPYING = """\
The least that a template can be, one question and one file, shows what is Copier's own. Both are Git repositories on the same
machine; there is no uv, so no lock. The update is from the release before the last one. Copier renders a service once for a copy
and three times for an update, and clones the template for each; here each file and each answer is a Jinja template to compile.
"""
STARTS = """\
The template's servers with their defaults, in turn, with the ratio to the default service's.
"""
LOAD = """\
Rate and latency are those of `/`, a small JSON response, by [wrk](https://github.com/wg/wrk) on the same machine, whose CPUs it
shares with the service: requests per second, then the 50th and the 99th percentile of the latency, then the ratio to the default
service's rate in the same round, with its range. Each server has the template's defaults (on two CPUs eight workers under uWSGI,
otherwise four; Gunicorn and Granian have four threads in each); *article* and *docker-init* are as above. *50 idle* are more
connections that send nothing. *5 % slow*: every twentieth request takes 200 ms. *None served*: the idle connections hold all
workers during the two seconds of the measurement.
"""

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
COMPARED = [*CHARTED, "image, packed"]
LIMIT = "limit"


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
    return text + quartiles(own, template)


def quartiles(own: list[float], other: list[float]) -> str:
    """Return the quartiles of the rounds' ratios; nothing if there are too few rounds."""
    if len(own) <= 3:
        return ""
    low, _, high = quantiles([a / b for a, b in zip(own, other, strict=True)], n=4)
    return spread(low, high, times)


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


def summary(services: dict[str, Results]) -> str:
    """Return a table of the template beside the best of the others, and beside the limit."""
    lines = ["| | the best of the others | template, ratio to it | template, ratio to the limit |", "| --- " * 4 + "|"]
    for service, results in services.items():
        for measure in COMPARED:
            ours = values(results["template"], measure)
            others = {name: values(result, measure) for name, result in results.items() if name not in OURS}
            limit = others.pop(LIMIT)
            best = min(others, key=lambda name: median(others[name]))
            found = f"{times(ratio(ours, others[best]))}{quartiles(ours, others[best])}"
            if ratio(ours, others[best]) > 1:
                found = f"**{found}**"
            bound = times(ratio(ours, limit)) if median(limit) else "-"
            lines.append(f"| {MEASURES[measure][0]}, {service} service | {best} | {found} | {bound} |")
    return "\n".join(lines) + "\n"


def load_table(servers: dict[str, dict], where: str) -> str:
    """Return a table of rates, as ratios to those of the first server in the same round, and latencies."""
    first, *_ = servers.values()
    loads = list(first[where])
    lines = ["| | " + " | ".join(loads) + " |", "| --- " * (len(loads) + 1) + "|"]
    for name, places in servers.items():
        if not places[where]:
            continue
        cells = []
        for load in loads:
            rates, middle, slowest = zip(*places[where][load], strict=True)
            if not median(rates):
                cells.append("none served")
                continue
            # The default may serve none, either.
            ratios = [one / other[0] for one, other in zip(rates, first[where][load], strict=True) if other[0]]
            cell = f"{median(rates):.0f}/s<br>{milliseconds(median(middle))} / {milliseconds(median(slowest))}"
            if places is not first and ratios:
                cell += f"<br>ratio {times(median(ratios))}{spread(min(ratios), max(ratios), times)}"
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def starts_table(found: dict[str, list[float]]) -> str:
    """Return a table of how long each server takes to start."""
    default = next(iter(found.values()))
    lines = ["| | `docker run` to the first 200 |", "| --- | --- |"]
    for name, values in found.items():
        text = f"{seconds(median(values))}{spread(min(values), max(values), seconds)}"
        if values is not default:
            text += f"<br>ratio {times(ratio(values, default))}{quartiles(values, default)}"
        lines.append(f"| {name} | {text} |")
    return "\n".join(lines) + "\n"


def milliseconds(number: float) -> str:
    """Format a latency."""
    return f"{number:.1f} ms" if number < 10 else f"{number:.0f} ms"


def microseconds(number: float) -> str:
    """Format a short duration."""
    return f"{number:.0f} µs"


def log_cost(found: dict[str, list]) -> str:
    """Describe what the lines for requests cost."""
    rates, bare = found["with access log"], found["without"]
    ratios = [one / other for one, other in zip(rates, bare, strict=True)]
    costs = [cost * 1e6 for cost in found["in process"]]
    request = 1e6 / median(bare)
    return (
        f"With lines for requests, one worker serves {median(rates):.0f} trivial requests a second; without, "
        f"{median(bare):.0f}: ratio {times(median(ratios))}{spread(min(ratios), max(ratios), times)}. In a process without "
        f"a server, a line costs {microseconds(median(costs))}{spread(min(costs), max(costs), microseconds)}, which is "
        f"{median(costs) / request:.0%} of the {microseconds(request)} that a request takes the worker.\n"
    )


def copying_table(found: dict[str, dict[str, list[float]]]) -> str:
    """Return a table of what Copier's commands take with the template and with a bare one."""
    lines = ["| command | bare template | template |", "| --- | --- | --- |"]
    for command, results in found.items():
        own, bare = results["template"], results["bare"]
        cells = [f"{seconds(median(values))}{spread(min(values), max(values), seconds)}" for values in (bare, own)]
        cells[1] += f"<br>ratio {times(ratio(own, bare))}{quartiles(own, bare)}"
        lines.append(f"| `copier {command}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def workers_table(found: dict[str, list]) -> str:
    """Return a table of the default number of workers for each number of CPUs and size of memory."""
    lines = [
        "| CPUs | memory | workers | rate | … of the best | 99th percentile | memory used |",
        "| --- " * 7 + "|",
    ]
    for key, rounds in found.items():
        cpus, memory, workers = key.split()
        if workers != "0":
            continue
        best = max(median(one[0] for one in rounds) for key, rounds in found.items() if key.split()[0] == cpus)
        rate, slowest, used, killed, processes = (median(each) for each in zip(*rounds, strict=True))
        lines.append(
            f"| {cpus} | {memory} MB | {processes - 1:.0f} | {rate:.0f}/s | {rate / best:.2f} | {milliseconds(slowest)} | "
            f"{used:.0f} MB{f', {killed:.0f} processes killed' if killed else ''} |"
        )
    return "\n".join(lines) + "\n"


def workers_chart(stacks: dict[str, dict[str, list]]) -> str:
    """Draw the rate and the memory by the number of workers: a column for each stack, a line for each number of CPUs."""
    width, height, left = 860, 520, 56
    column = width // len(stacks)
    parts = []
    for x, (stack, found) in enumerate(stacks.items()):
        origin = left + x * column
        parts.append(f'<text class="head" x="{origin - 40}" y="26">{escape(stack)}</text>')
        for top, title, place, unit in ((60, "responses per second", 0, ""), (300, "memory used", 2, " MB")):
            curves: dict[str, list[tuple[int, float]]] = {}
            for key, rounds in found.items():
                cpus, memory, workers = key.split()
                if workers != "0" and memory == "1024":
                    curves.setdefault(cpus, []).append((int(workers), median(one[place] for one in rounds)))
            highest = max(value for curve in curves.values() for _, value in curve)
            counts = sorted({workers for curve in curves.values() for workers, _ in curve})
            room, tall = column - left - 70, 160
            across = {workers: origin + room * step / (len(counts) - 1) for step, workers in enumerate(counts)}
            parts.append(f'<text class="title" x="{origin - 40}" y="{top - 8}">{title}</text>')
            parts.append(f'<path class="axis" d="M{origin} {top}v{tall}h{room}"/>')
            parts.append(f'<text class="name" x="{origin - 6}" y="{top + 12}">{highest:.0f}{unit}</text>')
            parts += [f'<text class="tick" x="{at:.0f}" y="{top + tall + 16}">{n}</text>' for n, at in across.items()]
            ends = {cpus: top + tall - tall * curve[-1][1] / highest + 4 for cpus, curve in curves.items()}
            labels = apart(ends, 14)
            for shade, (cpus, curve) in enumerate(curves.items()):
                points = [(across[n], top + tall - tall * value / highest) for n, value in curve]
                line = " ".join(f"{a:.0f},{b:.0f}" for a, b in points)
                parts.append(f'<polyline class="line line{shade}" points="{line}"/>')
                label = f"{cpus} CPU{'' if cpus in ('0.5', '1') else 's'}"
                if place == 0:
                    parts.append(f'<text x="{points[-1][0] + 6:.0f}" y="{labels[cpus]:.0f}">{label}</text>')
        parts.append(f'<text class="tick" x="{origin + room / 2:.0f}" y="{height - 16}">workers</text>')
    style = """
    text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .head { font-size: 16px; font-weight: 600 } .title { font-weight: 600 }
    .name { text-anchor: end; fill: #59636e } .tick { text-anchor: middle; fill: #59636e }
    .back { fill: #ffffff } .axis { fill: none; stroke: #a7b0ba } .line { fill: none; stroke-width: 2 }
    .line0 { stroke: #80b8f5 } .line1 { stroke: #0969da } .line2 { stroke: #0a3069 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .name, .tick { fill: #9198a1 } .back { fill: #0d1117 } .axis { stroke: #59636e }
      .line0 { stroke: #264f80 } .line1 { stroke: #4493f8 } .line2 { stroke: #b6d7ff }
    }"""
    return svg(width, height, "Rate and memory by the number of workers", style, parts)


def apart(places: dict[str, float], distance: float) -> dict[str, float]:
    """Move places down until they are at least that far apart."""
    moved: dict[str, float] = {}
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        moved[name] = max([place, *(other + distance for other in moved.values())])
    return moved


def svg(width: int, height: int, label: str, style: str, parts: list[str]) -> str:
    """Return a drawing on a background."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{label}">\n<style>{style}\n</style>\n'
        f'<rect class="back" width="{width}" height="{height}" rx="6"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def machine(facts: dict) -> str:
    """Describe the machine and the images of the measurements."""
    images = " and ".join(f"`{image}`" for image in facts["images"])
    stand_ins = ", made on the machine as stand-ins by `tools/engine/engine stand-ins`" if facts["stand-ins"] else ""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory'] / 2**30:.0f} GB of memory, Linux "
        f"{facts['kernel']}; Docker {facts['engine']} with its {facts['storage']} storage; {images}{stand_ins}.\n"
    )


def processor(found: dict, part: str) -> str:
    """Name the processor of a part, if it isn't that of the services."""
    name = found.get("processors", {}).get(part, found["machine"]["processor"])
    return "" if name == found["machine"]["processor"] else f"Measured on: {name}.\n"


def chart(services: dict[str, Results]) -> str:
    """Draw the medians: a row for each measure, a column for each service, a bar for each contender."""
    width, row, top, bar = 860, 158, 40, 17
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
                kind = "ours" if name in OURS else "other"
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
    return svg(width, height, "Medians of all measures, template and alternatives", style, parts)


def write() -> None:
    """Write the tables between the markers in the pages, and draw the charts."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    # Results of other contenders are left from before.
    services = {name: results for name, results in found["services"].items() if LIMIT in results}
    measured_on = f"Measured on: {machine(found['machine'])}"
    text = f"\n{textwrap.fill(measured_on, 120, break_on_hyphens=False)}\n\n"
    text += f"### Beside the best of the others, and the limit\n\n{summary(services)}\n"
    for service, results in services.items():
        rounds = {name: max(len(values(result, name)) for result in results.values()) for name in MEASURES}
        text += f"### The {service} service\n\n"
        text += f"Rounds: cold build {rounds['cold']}, code change {rounds['code']}, dependency change "
        text += f"{rounds['dependency']}, start {rounds['start']}.\n\n{table(results)}\n"
    if "servers" in found:
        text += f"### Start of each server\n\n{STARTS}{processor(found, 'servers')}\n{starts_table(found['servers'])}\n"
    if "load" in found:
        text += f"### Rate and latency, behind nginx\n\n{LOAD}{processor(found, 'load')}\n{load_table(found['load'], 'nginx')}\n"
        text += f"### Rate and latency, without a proxy\n\n{load_table(found['load'], 'direct')}\n"
    if "log" in found:
        text += f"### The access log\n\n{log_cost(found['log'])}{processor(found, 'log')}\n"
    if "copying" in found:
        text += f"### Copy and update\n\n{COPYING}{processor(found, 'copying')}\n{copying_table(found['copying'])}\n"
    replace(PAGE, text)
    CHART.write_text(chart(services), encoding="utf-8")
    if "workers" not in found:
        return
    lead = processor(found, "workers")
    text = (
        (f"\n{lead}\n" if lead else "\n")
        + "\n".join(f"### {stack}\n\n{workers_table(rows)}" for stack, rows in found["workers"].items())
        + "\n"
    )
    replace(WORKERS_PAGE, text)
    WORKERS_CHART.write_text(workers_chart(found["workers"]), encoding="utf-8")


def replace(page: Path, text: str) -> None:
    """Replace what is between the markers."""
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(before + START + text + END + after, encoding="utf-8")
