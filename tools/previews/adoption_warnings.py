"""Warnings of what an adoption replaces or ignores although the service may depend on it. See docs/how-to/adopt.md."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .clones import Changes
from .git import git

REQUIREMENTS = r"requirements?[^/]*\.(txt|in)|(.*/)?requirements/.+\.(txt|in)|pyproject\.toml|setup\.(py|cfg)|Pipfile"
SERVERS = (
    r"bjoern|cheroot|daphne|fastapi\[(?:all|standard)\b[^]]*\]|granian|gunicorn|hypercorn|meinheld|mod[-_]wsgi|pyuwsgi|"
    r"uvicorn|uvicorn-worker|uwsgi|waitress"
)
REPLACED = "is replaced by the template's way to start a process"
# A pattern for paths, one for what is found on a line of such a file, and the warning.
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
# The entry modules: step 5 of docs/how-to/adopt.md connects them with the service's application.
ENTRY_MODULES = r"src/[^/]+/[aw]sgi\.py"
# Folders that frameworks read from the project's folder, without importing them.
DATA_FOLDERS = {"alembic", "locale", "migrations", "static", "templates"}


def warnings(clone: Path, own: set[str], found: Changes) -> Iterator[str]:
    """Yield all warnings.

    Args:
        clone: A clone of the service, with the template copied into it.
        own: The paths of the service's files.
        found: What the copy changed.
    """
    for path in sorted(own):
        yield from content_warnings(clone, path)
    yield from replaced_files(found.changed)
    yield from hidden_modules(found.added, own)
    yield from folders_outside_src(own)


def content_warnings(clone: Path, path: str) -> Iterator[str]:
    """Warn of servers, of packages with clashing names, and of ways to start a process, by file and line."""
    wanted = [(line, warning) for file, line, warning in CONTENT_WARNINGS if re.fullmatch(file, path)]
    if not wanted:
        return
    for number, line in enumerate(git(clone, "show", f"HEAD:./{path}").splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for pattern, warning in wanted:
            for what in re.findall(pattern, line):
                yield f"{path}, line {number}: {what.strip()} {warning}"


def replaced_files(changed: Iterable[str]) -> Iterator[str]:
    """Warn of the service's modules and entry point that the template's overwrite."""
    for path in changed:
        if path == "docker-entrypoint.sh":
            yield f"{path}: {REPLACED}"
        elif re.fullmatch(r"(src|tests)/.*\.py", path) and not re.fullmatch(ENTRY_MODULES, path):
            yield f"{path}: is replaced by another module of that name"


def hidden_modules(added: Iterable[str], own: set[str]) -> Iterator[str]:
    """Warn of the template's modules that a package of the service hides, and of a package with another name."""
    for path in added:
        if f"{path.removesuffix('.py')}/__init__.py" in own:
            yield f"{path}: is never imported, because {path.removesuffix('.py')}/ has the same name"
        if re.fullmatch(r"src/[^/]+/__init__\.py", path):
            yield f"{path}: your package is not there"


def folders_outside_src(own: set[str]) -> Iterator[str]:
    """Warn of packages and data that the image doesn't contain."""
    for folder, _, rest in sorted(path.partition("/") for path in own):
        if (rest == "__init__.py" or (rest and folder in DATA_FOLDERS)) and folder not in {"src", "tests"}:
            yield f"{folder}/: is not in the image, because it is not below src/"
