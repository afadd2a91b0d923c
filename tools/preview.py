# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "copier==9.19.1",
#     "copier-template-extensions==0.3.4",
#     "jinja2-time==0.2.0",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""Shows what Copier would do to services, and changes nothing in them.

    uv run tools/preview.py updates [--json] TEMPLATE FOLDER…
    uv run tools/preview.py adoption [--json] TEMPLATE FOLDER [OPTION OF copier copy]…

docs/fleet.md describes the first, docs/adopt.md the second. All work is done in temporary clones.
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from packaging.version import InvalidVersion, Version

ANSWERS = ".copier-answers.yml"
# Longer than any update takes: one that hangs is given up then.
TIMEOUT = 300  # seconds
MARKERS = {b"<<<<<<< before updating", b">>>>>>> after updating"}
# Copier's own temporary folders are small, and an update takes two thirds of the time when they are in memory.
MEMORY = "/dev/shm"
OTHERS_FOLDERS = {"node_modules", "site-packages"}

# What an existing service may have that an adoption replaces or ignores: in which files, on which lines, and what of it.
REQUIREMENTS = r"requirements?[^/]*\.(txt|in)|(.*/)?requirements/.+\.(txt|in)|pyproject\.toml|setup\.(py|cfg)|Pipfile"
SERVERS = (
    r"bjoern|cheroot|daphne|fastapi\[(?:all|standard)\b[^]]*\]|granian|gunicorn|hypercorn|meinheld|mod[-_]wsgi|pyuwsgi|"
    r"uvicorn|uvicorn-worker|uwsgi|waitress"
)
REPLACED = "is replaced by the template's way to start a process"
CONTENT_WARNINGS = (
    (
        REQUIREMENTS,
        rf"""(?<![\w.\[/-])(?i:{SERVERS})(?=[\s"'\[<>=!~;,@\\]|$)""",
        "is a web server, and the template brings its own",
    ),
    (REQUIREMENTS, r"\bdjango-environ\b", "hides environ-config, whose module is called environ, too"),
    (r"(.*[/.])?Dockerfile[^/]*", r"^(?i:CMD|ENTRYPOINT)\b.*", REPLACED),
    (r"(.*/)?(docker-)?compose[^/]*\.ya?ml", r"^\s+(?:command|entrypoint):.*", REPLACED),
    (r"Procfile", r"^[\w-]+:.*", REPLACED),
)
# Step 5 of docs/adopt.md connects these with the service's own.
BRIDGES = r"src/[^/]+/[aw]sgi\.py"
# Where frameworks keep what belongs to the application, and is imported by nothing.
DATA_FOLDERS = {"alembic", "locale", "migrations", "static", "templates"}

CURRENT, BEHIND, CONFLICTS, AHEAD, FAILED, OTHER = "current", "behind", "conflicts", "ahead", "failed", "other"


class PreviewError(Exception):
    """What can't be shown, and why, in one line."""


# --- What can be said about a service --------------------------------------------------------


@dataclass
class Changes:
    """What differs after Copier ran, by path."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


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


@dataclass
class Template:
    """The template's newest release, in a repository of our own."""

    url: str
    repository: Path
    newest: str
    commit: str


def main() -> int:
    """Do what the command line says; give the exit status."""
    options = parse_arguments()
    # Names of files may hold anything.
    sys.stdout.reconfigure(errors="backslashreplace")
    with temporary() as work, temporary(MEMORY if os.access(MEMORY, os.W_OK) else None) as scratch:
        isolate(Path(work), Path(scratch))
        try:
            return options.show(options, Path(work))
        except PreviewError as error:
            print(f"preview: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130


def temporary(place: str | Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """Make a folder that is gone in the end."""
    return tempfile.TemporaryDirectory(prefix="preview-", dir=place, ignore_cleanup_errors=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True, metavar="updates|adoption")
    updates = modes.add_parser("updates", help="which services are behind, and what an update would do to them")
    updates.set_defaults(show=show_updates)
    adoption = modes.add_parser("adoption", help="what would come of adopting the template in an existing service")
    adoption.set_defaults(show=show_adoption)
    for mode in (updates, adoption):
        mode.add_argument("--json", action="store_true", help="write JSON instead of text")
        mode.add_argument("template", metavar="TEMPLATE", help="its URL, as copier copy takes it; its code is run")
    updates.add_argument("folders", metavar="FOLDER", nargs="+", type=folder, help="a service, or where services lie")
    adoption.add_argument("folder", metavar="FOLDER", type=folder, help="the service")
    adoption.add_argument("options", nargs=argparse.REMAINDER, help="what copier copy will be given, such as --data")
    return parser.parse_args()


def folder(argument: str) -> Path:
    """Take only folders that exist."""
    if not (path := Path(argument)).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {argument}")
    return Path(os.path.abspath(path))


def isolate(work: Path, scratch: Path) -> None:
    """Let git and Copier, run from here, leave nothing behind: neither in the services nor elsewhere."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "UV"):
        os.environ.pop(name, None)
    # No lock is wanted, but --skip-tasks leaves out no migration, and one makes it: the uv that it finds fails at once.
    (work / "bin").mkdir()
    (work / "bin/uv").symlink_to(shutil.which("false") or "/bin/false")
    settings = {
        # No hooks, no daemon that watches files, no clean-up: these are clones for a second.
        "core.fsmonitor": "false",
        "core.hooksPath": os.devnull,
        "maintenance.auto": "false",
        "commit.gpgSign": "false",
    }
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for number, (name, value) in enumerate(settings.items(), first):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    os.environ |= {
        "GIT_CONFIG_COUNT": str(first + len(settings)),
        "PATH": f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(scratch),
        # git status would refresh the index.
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "NO_COLOR": "1",
    }


# --- Updates ---------------------------------------------------------------------------------


def show_updates(options: argparse.Namespace, work: Path) -> int:
    """Report on many services; see docs/fleet.md for the exit status."""
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
    """Write a line for each service, and one for all."""
    rows = [("SERVICE", "VERSION", "STATUS", "ADDED", "CHANGED", "REMOVED", "NOTES")]
    for report in reports:
        notes = [report.reason or ", ".join(report.conflicts), "uncommitted changes left out" * report.uncommitted]
        counts = ["", "", ""]
        if report.status in {BEHIND, CONFLICTS}:
            counts = [str(len(paths)) for paths in asdict(report.changes).values()]
        note = "; ".join(filter(None, notes))
        rows.append((os.path.relpath(report.folder), report.version or "?", report.status, *counts, note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    statuses = [report.status for report in reports]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))
    print(f"\nnewest: {template.newest}; services: {counts}")


def fetch(url: str, work: Path) -> Template:
    """Get the template once for all services, and find its newest release as Copier does.

    Only its own branches and tags are taken: the answers of a service can't name anybody else's commit.
    """
    # What ends in .git is a repository for Copier, also a bare one.
    repository = work / "template.git"
    git(work, "clone", "--quiet", "--bare", "--", git_url(url), repository, failing=f"can't fetch {url}")
    releases = {found: tag for tag in git(repository, "tag").split() if (found := release(tag))}
    newest = releases[max(releases)] if releases else "HEAD"
    commit = git(repository, "rev-parse", "--verify", f"{newest}^{{commit}}", failing=f"{url} has no commit")
    if not releases:
        newest = git(repository, "describe", "--tags", "--always", commit)
    return Template(url, repository, newest, commit)


def release(tag: str) -> Version | None:
    """Give the version that a tag names; a pre-release is none."""
    try:
        version = Version(tag)
    except InvalidVersion:
        return None
    return None if version.is_prerelease else version


def git_url(url: str) -> str:
    """Write out what Copier abbreviates."""
    for alias, host in {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}.items():
        if url.startswith(alias):
            return host + url.removeprefix(alias).strip("/").removesuffix(".git") + ".git"
    url = url.removeprefix("git+")
    return str(Path(url).expanduser().resolve()) if "://" not in url and Path(url).expanduser().exists() else url


def same_template(url: object, other: str) -> bool:
    """Say whether two URLs name one repository, whichever way it is reached."""

    def place(url: str) -> tuple[str, str]:
        url = git_url(url)
        if "://" in url:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        elif scp := re.fullmatch(r"(?:[^@/]+@)?([^/:]+):(.+)", url):
            host, path = scp[1], scp[2]
        else:
            host, path = "", url
        return host.lower(), path.strip("/").removesuffix(".git")

    try:
        return isinstance(url, str) and place(url) == place(other)
    except (OSError, RuntimeError, ValueError):
        # No address at all: a path that is too long, an unknown user's home.
        return False


def find_services(folders: Sequence[Path], url: str) -> Iterator[tuple[Path, Report]]:
    """Find the services of a template: the folders themselves, or those below that one doesn't have to name."""
    seen = set()
    for top in folders:
        reports = [(found, report) for found in answers_below(top) if (report := recognize(found, url))]
        # What was named has a line in any case; what was only found, when it is of this template.
        mine = [(found, report) for found, report in reports if report.status != OTHER]
        for found, report in mine or [(top, Report(str(top), OTHER, reason=f"not from {url}"))]:
            if found not in seen:
                seen.add(found)
                yield found, report


def answers_below(top: Path) -> Iterator[Path]:
    """Find all folders with answers to some template."""
    for path, names, files in os.walk(top):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in OTHERS_FOLDERS)
        if ANSWERS in files:
            yield Path(path)


def recognize(service: Path, url: str) -> Report:
    """Begin a report with what the answers say."""
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
    """Read what Copier remembers."""
    try:
        answers = yaml.safe_load((service / ANSWERS).read_bytes())
    except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
        raise PreviewError(f"{ANSWERS} can't be read: {one_line(error)}") from error
    if not isinstance(answers, dict):
        raise PreviewError(f"{ANSWERS} can't be read: it holds no answers")
    return answers


def examine(service: Path, report: Report, template: Template, work: Path) -> Report:
    """Complete a report: update a clone of the service, and look at what came of it."""
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
            # One service never costs the report on all others.
            report.status, report.reason = FAILED, one_line(f"{type(error).__name__}: {error}")
    return report


def update(clone: Path, report: Report, template: Template) -> None:
    """Update a clone to the newest release, if it is older."""
    version = git(
        template.repository,
        "rev-parse",
        "--verify",
        "--quiet",
        f"{report.version}^{{commit}}",
        failing=f"version {report.version} is unknown to {template.url}",
    )
    if version == template.commit:
        report.status = CURRENT
        return
    with suppress(PreviewError):
        git(template.repository, "merge-base", "--is-ancestor", template.commit, version)
        report.status = AHEAD
        return

    # Copier takes the template from where the answers say: from our own copy.
    answers = {**read_answers(clone), "_src_path": str(template.repository)}
    (clone / ANSWERS).write_text(yaml.safe_dump(answers, allow_unicode=True), encoding="utf-8")
    commit(clone)
    run_in_process(run_update, clone, template.commit)
    report.conflicts = conflicts(clone)
    report.changes = changes(clone)
    report.status = CONFLICTS if report.conflicts else BEHIND


def run_update(clone: Path, ref: str) -> None:
    """Run Copier's own update."""
    import copier

    copier.run_update(clone, vcs_ref=ref, defaults=True, overwrite=True, quiet=True, skip_tasks=True, unsafe=True)


def conflicts(clone: Path) -> list[str]:
    """Name the files that an update left in conflict; Copier says nothing about them."""
    unmerged = git_paths(clone, "diff", "--name-only", "--diff-filter=U", "--relative")
    untracked = git_paths(clone, "ls-files", "--others")
    rejected = {path.removesuffix(".rej") for path in untracked if path.endswith(".rej")}
    touched = git_paths(clone, "diff", "--name-only", "--diff-filter=d", "--relative", "HEAD") | untracked
    return sorted(unmerged | rejected | {path for path in touched if has_markers(clone / path)})


def has_markers(file: Path) -> bool:
    """Say whether Copier marked lines in a file as conflicting."""
    return file.is_file() and any(line.rstrip() in MARKERS for line in file.read_bytes().splitlines())


# --- Adoption --------------------------------------------------------------------------------


def show_adoption(options: argparse.Namespace, work: Path) -> int:
    """Say which files `copier copy` would add, change and leave alone."""
    clone, uncommitted = clone_service(options.folder, work)
    if uncommitted:
        raise PreviewError(f"{options.folder} has uncommitted changes, which an adoption could overwrite: commit them")
    url = git_url(options.template) if Path(options.template).exists() else options.template
    flags = [flag for flag in ("--defaults", "--overwrite", "--skip-tasks", "--trust") if flag not in options.options]
    copier = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "copier", "copy", "--quiet", *flags, *options.options, url, clone],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if copier.returncode:
        raise PreviewError(f"copier copy fails: {one_line(copier.stderr)}")
    found = changes(clone)
    kept = git_paths(clone, "ls-tree", "-r", "--name-only", "HEAD") - {*found.changed, *found.removed}
    lists = {
        "added": found.added,
        "changed": found.changed,
        "left alone": sorted(kept),
        "warnings": list(dict.fromkeys(warnings(clone, found))),
    }
    if options.json:
        print(json.dumps({name.replace(" ", "_"): lines for name, lines in lists.items()}, indent=2))
    else:
        for name, lines in lists.items():
            print(f"{name}: {len(lines)}", *(f"  {line}" for line in lines), sep="\n")
    if unsaved := [path for path in found.added if os.path.lexists(options.folder / path)]:
        raise PreviewError(f"git doesn't have these files, which would be overwritten: {', '.join(unsaved)}")
    return 0


def warnings(clone: Path, found: Changes) -> Iterator[str]:
    """Name what an adoption replaces or ignores, although the service may depend on it; docs/adopt.md says what to do."""
    own = git_paths(clone, "ls-tree", "-r", "--name-only", "HEAD")
    for path in sorted(own):
        wanted = [(line, warning) for file, line, warning in CONTENT_WARNINGS if re.fullmatch(file, path)]
        for number, line in enumerate(git(clone, "show", f"HEAD:./{path}").splitlines() if wanted else (), 1):
            if not line.lstrip().startswith("#"):
                for pattern, warning in wanted:
                    yield from (
                        f"{path}, line {number}: {what.strip()} {warning}" for what in re.findall(pattern, line)
                    )
    for path in found.changed:
        if path == "docker-entrypoint.sh":
            yield f"{path}: {REPLACED}"
        elif re.fullmatch(r"(src|tests)/.*\.py", path) and not re.fullmatch(BRIDGES, path):
            yield f"{path}: is replaced by another module of that name"
    for path in found.added:
        if f"{path.removesuffix('.py')}/__init__.py" in own:
            yield f"{path}: is never imported, because {path.removesuffix('.py')}/ has the same name"
        if re.fullmatch(r"src/[^/]+/__init__\.py", path):
            yield f"{path}: your package is not there"
    for folder, _, rest in sorted(path.partition("/") for path in own):
        if (rest == "__init__.py" or (rest and folder in DATA_FOLDERS)) and folder not in {"src", "tests"}:
            yield f"{folder}/: is not in the image, because it is not below src/"


# --- Clones of services ----------------------------------------------------------------------


def clone_service(service: Path, work: Path) -> tuple[Path, bool]:
    """Clone a service's last commit; give its folder there, and whether the service has changes since.

    The service may be a folder of a bigger repository.
    """
    top = Path(git(service, "rev-parse", "--show-toplevel", failing="it is in no git repository"))
    git(service, "rev-parse", "--verify", "HEAD", failing="it has no commit")
    uncommitted = bool(git(service, "status", "--porcelain", "--", "."))
    clone = work / "clone"
    # Nothing is shared with the service: git touches the objects that it would have written.
    git(work, "clone", "--quiet", "--no-local", "--depth=1", "--no-tags", "--", top, clone)
    inside = clone / service.resolve().relative_to(top.resolve())
    if not inside.is_dir():
        raise PreviewError("it is not committed")
    return inside, uncommitted


def commit(clone: Path) -> None:
    """Commit all that a clone has, whatever the user's own git does on commits."""
    git(clone, "add", "--all", "--force", ".")
    identity = ("-c", "user.name=preview", "-c", "user.email=preview")
    git(clone, *identity, "commit", "--quiet", "--allow-empty", "--message=preview")


def changes(clone: Path) -> Changes:
    """Compare a clone's files with its last commit."""
    git(clone, "add", "--all", "--", ".", ":(exclude,glob)**/*.rej")
    diff = git(clone, "diff", "--cached", "--name-status", "--no-renames", "--relative", "-z", "HEAD").split("\0")
    found = dict(zip(diff[1::2], diff[::2], strict=False))
    added, removed = (sorted(path for path in found if found[path] == kind) for kind in "AD")
    changed = sorted(found.keys() - {*added, *removed})
    return Changes(added, changed, removed)


def git_paths(folder: Path, *arguments: str) -> set[str]:
    """Give the paths that a git command names."""
    return set(filter(None, git(folder, arguments[0], "-z", *arguments[1:]).split("\0")))


def git(folder: Path, *arguments: str | Path, failing: str = "") -> str:
    """Run git in a folder; give what it says.

    Raises:
        PreviewError: It fails; *failing* says what that means.
    """
    command = ["git", "-C", folder, *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if result.returncode:
        details = one_line(os.fsdecode(result.stderr))
        raise PreviewError(": ".join(filter(None, (failing, details))) or f"git {arguments[0]} fails")
    return os.fsdecode(result.stdout).removesuffix("\n")


# --- Processes -------------------------------------------------------------------------------

# Each service gets a process of its own, so that none sees the code of a version that another came from. It is forked
# from one that has imported Copier, which takes as long as an update.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["copier", "copier_template_extensions", "jinja2_ansible_filters", "jinja2_time"])


def run_in_process(function: object, *arguments: object) -> None:
    """Call a function in a process of its own.

    Raises:
        PreviewError: The call raises an exception, or doesn't end.
    """
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_report_failure, args=(theirs, function, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        reason = ours.recv() if ours.poll(TIMEOUT) else f"it took more than {TIMEOUT} s"
    except EOFError:
        process.join()
        reason = f"its process ended with exit status {process.exitcode}"
    process.kill()
    process.join()
    if reason:
        raise PreviewError(f"the update fails: {reason}")


def _report_failure(connection: Connection, function: object, *arguments: object) -> None:
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    try:
        function(*arguments)
    except Exception as error:
        # What a failed command wrote says more than that it failed.
        connection.send(one_line(getattr(error, "stderr", None) or str(error) or type(error).__name__))
    else:
        connection.send("")


def one_line(message: object) -> str:
    """Bring a message into a table."""
    return " ".join(str(message).split())


if __name__ == "__main__":
    sys.exit(main())
