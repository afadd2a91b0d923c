"""Services: where they are, and the template and version in the answers file of each."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .clones import Changes
from .errors import PreviewError, one_line
from .template import same_template

ANSWERS = ".copier-answers.yml"
# Folders with other people's code, which may contain answers files of its own.
IGNORED_FOLDERS = {"node_modules", "site-packages"}

CURRENT, BEHIND, CONFLICTS, AHEAD, FAILED, OTHER = "current", "behind", "conflicts", "ahead", "failed", "other"


@dataclass
class Report:
    """What an update would do to one service."""

    folder: str
    status: str = FAILED
    version: str | None = None
    newest: str | None = None
    uncommitted: bool = False
    changes: Changes = field(default_factory=Changes)
    conflicts: list[str] = field(default_factory=list)
    reason: str | None = None


def find_services(folders: Sequence[Path], url: str) -> Iterator[tuple[Path, Report]]:
    """Find the services of a template: the given folders, and services below them."""
    seen = set()
    for top in folders:
        reports = [(found, recognize(found, url)) for found in answers_below(top)]
        # A given folder is reported in any case; a service below it only if it is from this template.
        mine = [(found, report) for found, report in reports if report.status != OTHER]
        for found, report in mine or [(top, Report(str(top), OTHER, reason=f"not from {url}"))]:
            if found not in seen:
                seen.add(found)
                yield found, report


def answers_below(top: Path) -> Iterator[Path]:
    """Find all folders that contain an answers file, of any template."""
    for path, names, files in os.walk(top):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in IGNORED_FOLDERS)
        if ANSWERS in files:
            yield Path(path)


def recognize(service: Path, url: str) -> Report:
    """Start a report with the template and version that the answers file names."""
    report = Report(str(service))
    try:
        answers = read_answers(service)
    except PreviewError as error:
        report.reason = str(error)
        return report
    if not same_template(answers.get("_src_path"), url):
        report.status = OTHER
    elif not answers.get("_commit"):
        report.reason = f"{ANSWERS} names no version (_commit)"
    else:
        report.version = str(answers["_commit"])
    return report


def read_answers(service: Path) -> dict[str, object]:
    """Read Copier's answers file.

    Raises:
        PreviewError: It can't be read.
    """
    try:
        answers = yaml.safe_load((service / ANSWERS).read_bytes())
    except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
        raise PreviewError(f"{ANSWERS} can't be read: {one_line(error)}") from error
    if not isinstance(answers, dict):
        raise PreviewError(f"{ANSWERS} can't be read: it holds no answers")
    return answers
