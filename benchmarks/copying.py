"""How long `copier copy` and `copier update` take, and how much of that is Copier's own."""

import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from common import TEMPLATE
from machine import say

# The least that a template can be.
BARE = {
    "copier.yml": "name:\n  type: str\n  default: world\n",
    "{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n",
    "hello.txt.jinja": "Hello {{ name }}\n",
}
# Without uv, there is no lock: its time is the resolver's and the network's.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("UV", "PYTHON"))},
    "PATH": "/usr/bin:/bin",
    "GIT_AUTHOR_NAME": "Benchmark",
    "GIT_AUTHOR_EMAIL": "benchmark@example.com",
    "GIT_COMMITTER_NAME": "Benchmark",
    "GIT_COMMITTER_EMAIL": "benchmark@example.com",
}


def measure(folder: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return seconds: by command and by template ("template", "bare"), a list of the rounds' measurements.

    An update is from the release before the last one to the present state.
    """
    templates = {"template": folder / "template", "bare": folder / "bare"}
    git(folder, "clone", "--quiet", str(TEMPLATE), str(templates["template"]))
    *_, (version, made_by), _ = tomllib.loads((TEMPLATE / "releases.toml").read_text(encoding="utf-8")).items()
    git(templates["template"], "tag", "--force", version, made_by)
    # As it comes from a forge: a repository of thousands of loose objects takes long to clone and to remove.
    git(templates["template"], "gc", "--quiet")
    versions = {"template": version, "bare": "1.0.0"}
    make_bare(templates["bare"])
    old = {name: folder / f"old-{name}" for name in templates}
    for name, template in templates.items():
        copier("copy", f"--vcs-ref={versions[name]}", str(template), str(old[name]))
        commit(old[name])
    found: dict[str, dict[str, list[float]]] = {
        command: {name: [] for name in templates} for command in ("--version", "copy", "update")
    }
    for number in range(rounds):
        for name in sorted(templates, reverse=bool(number % 2)):
            target = folder / "service"
            found["--version"][name].append(copier("--version"))
            found["copy"][name].append(copier("copy", "--vcs-ref=HEAD", str(templates[name]), str(target)))
            shutil.rmtree(target)
            shutil.copytree(old[name], target, symlinks=True)
            found["update"][name].append(copier("update", "--vcs-ref=HEAD", str(target)))
            shutil.rmtree(target)
            say(f"{name}: copy {found['copy'][name][-1]:.2f} s, update {found['update'][name][-1]:.2f} s")
    return found


def make_bare(folder: Path) -> None:
    """Make a template in two versions."""
    folder.mkdir()
    for name, text in BARE.items():
        (folder / name).write_text(text, encoding="utf-8")
    commit(folder)
    git(folder, "tag", "1.0.0")
    (folder / "hello.txt.jinja").write_text("Hello, {{ name }}!\n", encoding="utf-8")
    git(folder, "commit", "--quiet", "--all", "--message=Next")


def commit(folder: Path) -> None:
    """Make a repository of a folder."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=First")


def git(folder: Path, *arguments: str) -> str:
    """Run Git in a folder, and return its output."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True).stdout.strip()


def copier(command: str, *arguments: str) -> float:
    """Run Copier as a user does; return the seconds that it took."""
    options = ["--quiet", "--trust", "--defaults"] if arguments else []
    started = time.perf_counter()
    full = [sys.executable, "-m", "copier", command, *options, *arguments]
    subprocess.run(full, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started
