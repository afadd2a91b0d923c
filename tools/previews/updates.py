"""Preview of updates: which services are behind, and what an update would change in each. See docs/how-to/fleet.md."""

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import yaml

from .clones import changes, clone_service, commit
from .errors import PreviewError, one_line
from .git import git, git_paths
from .isolation import temporary
from .processes import run_in_process
from .services import AHEAD, ANSWERS, BEHIND, CONFLICTS, CURRENT, FAILED, OTHER, Report, find_services, read_answers
from .template import Template, fetch

MARKERS = {b"<<<<<<< before updating", b">>>>>>> after updating"}


def show_updates(options: argparse.Namespace, work: Path) -> int:
    """Report on all services below the given folders; return the exit status."""
    template = fetch(options.template, work)
    services = list(find_services(options.folders, template.url))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        reports = list(threads.map(lambda service: examine(*service, template, work), services))
    if not any(report.status != OTHER for report in reports):
        raise PreviewError(f"no service of {template.url} lies in {', '.join(map(str, options.folders))}")
    if options.json:
        rows = [asdict(report) for report in reports]
        print(json.dumps({"template": template.url, "newest": template.newest, "services": rows}, indent=2))
    else:
        print_table(reports, template)
    statuses = {report.status for report in reports}
    return 2 if FAILED in statuses else 1 if statuses & {BEHIND, CONFLICTS} else 0


def print_table(reports: Sequence[Report], template: Template) -> None:
    """Print a line for each service, and a summary."""
    header = ("SERVICE", "VERSION", "STATUS", "ADDED", "CHANGED", "REMOVED", "NOTES")
    rows = [header, *map(table_row, reports)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    statuses = [report.status for report in reports]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))
    print(f"\nnewest: {template.newest}; services: {counts}")


def table_row(report: Report) -> tuple[str, ...]:
    """Return the cells of a service's line."""
    notes = [report.reason or ", ".join(report.conflicts), "uncommitted changes left out" * report.uncommitted]
    counts = ["", "", ""]
    if report.status in {BEHIND, CONFLICTS}:
        counts = [str(len(paths)) for paths in asdict(report.changes).values()]
    note = "; ".join(filter(None, notes))
    return os.path.relpath(report.folder), report.version or "?", report.status, *counts, note


def examine(service: Path, report: Report, template: Template, work: Path) -> Report:
    """Complete a report by updating a clone of the service."""
    if report.status == OTHER or not report.version:
        return report
    report.newest = template.newest
    with temporary(work) as place:
        try:
            clone, report.uncommitted = clone_service(service, Path(place))
            report.version = str(read_answers(clone).get("_commit"))
            update(clone, report, template)
        except PreviewError as error:
            report.status, report.reason = FAILED, str(error)
        except Exception as error:
            # An unexpected error in one service must not lose the reports on all others.
            report.status, report.reason = FAILED, one_line(f"{type(error).__name__}: {error}")
    return report


def update(clone: Path, report: Report, template: Template) -> None:
    """Update a clone to the newest release if it is behind; record the result in its report."""
    revision = f"{report.version}^{{commit}}"
    unknown = f"version {report.version} is unknown to {template.url}"
    version = git(template.repository, "rev-parse", "--verify", "--quiet", revision, failing=unknown)
    if version == template.commit:
        report.status = CURRENT
        return
    with suppress(PreviewError):
        git(template.repository, "merge-base", "--is-ancestor", template.commit, version)
        report.status = AHEAD
        return

    # Copier fetches the template from the URL in the answers file: point it to the temporary clone.
    answers = {**read_answers(clone), "_src_path": str(template.repository)}
    (clone / ANSWERS).write_text(yaml.safe_dump(answers, allow_unicode=True), encoding="utf-8")
    commit(clone)
    run_in_process(run_update, clone, template.commit)
    report.conflicts = conflicts(clone)
    report.changes = changes(clone)
    report.status = CONFLICTS if report.conflicts else BEHIND


def run_update(clone: Path, ref: str) -> None:
    """Run Copier's update."""
    import copier

    copier.run_update(clone, vcs_ref=ref, defaults=True, overwrite=True, quiet=True, skip_tasks=True, unsafe=True)


def conflicts(clone: Path) -> list[str]:
    """Return the files that an update left in conflict, which Copier doesn't report."""
    unmerged = git_paths(clone, "diff", "--name-only", "--diff-filter=U", "--relative")
    untracked = git_paths(clone, "ls-files", "--others")
    rejected = {path.removesuffix(".rej") for path in untracked if path.endswith(".rej")}
    touched = git_paths(clone, "diff", "--name-only", "--diff-filter=d", "--relative", "HEAD") | untracked
    return sorted(unmerged | rejected | {path for path in touched if has_markers(clone / path)})


def has_markers(file: Path) -> bool:
    """Return whether a file contains Copier's conflict markers."""
    return file.is_file() and any(line.rstrip() in MARKERS for line in file.read_bytes().splitlines())
