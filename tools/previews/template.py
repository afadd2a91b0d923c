"""The template: the forms of its URL, and its newest release."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from .git import git


@dataclass
class Template:
    """The template's newest release, in a temporary clone."""

    url: str
    repository: Path
    newest: str
    commit: str


def fetch(url: str, work: Path) -> Template:
    """Clone the template once for all services, and find its newest release as Copier does.

    Only its own branches and tags are fetched, so a service's answers can't name a commit of a fork.
    """
    # Copier recognizes a path as a repository, even a bare one, by the suffix .git.
    repository = work / "template.git"
    git(work, "clone", "--quiet", "--bare", "--", git_url(url), repository, failing=f"can't fetch {url}")
    releases = {found: tag for tag in git(repository, "tag").split() if (found := release(tag))}
    newest = releases[max(releases)] if releases else "HEAD"
    commit = git(repository, "rev-parse", "--verify", f"{newest}^{{commit}}", failing=f"{url} has no commit")
    if not releases:
        newest = git(repository, "describe", "--tags", "--always", commit)
    return Template(url, repository, newest, commit)


def release(tag: str) -> Version | None:
    """Return the version that a tag names, or None if it names none or a pre-release."""
    try:
        version = Version(tag)
    except InvalidVersion:
        return None
    return None if version.is_prerelease else version


def git_url(url: str) -> str:
    """Expand Copier's abbreviations, and make the path of a local repository absolute."""
    for alias, host in {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}.items():
        if url.startswith(alias):
            return host + url.removeprefix(alias).strip("/").removesuffix(".git") + ".git"
    url = url.removeprefix("git+")
    return str(Path(url).expanduser().resolve()) if "://" not in url and Path(url).expanduser().exists() else url


def same_template(url: object, other: str) -> bool:
    """Return whether two URLs name the same repository, whatever their protocols and spellings."""
    try:
        return isinstance(url, str) and _host_and_path(url) == _host_and_path(other)
    except (OSError, RuntimeError, ValueError):
        # Not a URL: for example a path that is too long, or the home of a user who doesn't exist.
        return False


def _host_and_path(url: str) -> tuple[str, str]:
    url = git_url(url)
    if "://" in url:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
    elif scp := re.fullmatch(r"(?:[^@/]+@)?([^/:]+):(.+)", url):
        host, path = scp[1], scp[2]
    else:
        host, path = "", url
    return host.lower(), path.strip("/").removesuffix(".git")
