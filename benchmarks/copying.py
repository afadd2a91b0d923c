"""How long `copier copy` and `copier update` take, and how much of that is Copier's own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import TEMPLATE
from measures import say

# The least that a template can be.
BARE = {
    "copier.yml": "name:\n  type: str\n  default: world\n",
    "{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n",
    "hello.txt.jinja": "Hello {{ name }}\n",
}
# The file in which a line is new in the version that services are updated to.
CHANGED = {"template": "template/.dockerignore", "bare": "hello.txt.jinja"}
OLD, NEW = "1000.0.0", "1000.0.1"
IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "Benchmark", "EMAIL": "benchmark@example.com"}.items()
}
ENVIRONMENT = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return seconds by template and command, a list of the rounds' each.

    Without the lock, whose time is the resolver's and the network's. In memory: ext4 looks for a new file's inode past
    all that were deleted in the last minute, so that each round would take longer (recently_deleted, fs/ext4/ialloc.c).
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir="/dev/shm") as folder:
        ENVIRONMENT["TMPDIR"] = folder
        return measure_in(Path(folder), rounds)


def measure_in(folder: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Measure in a folder."""
    templates = {name: folder / name for name in CHANGED}
    git(folder, "clone", "--quiet", str(TEMPLATE), "template")
    # As it comes from a forge: a repository of thousands of loose objects takes long to clone.
    git(templates["template"], "gc", "--quiet")
    templates["bare"].mkdir()
    for name, text in BARE.items():
        (templates["bare"] / name).write_text(text, encoding="utf-8")
    commit(templates["bare"])
    for name, template in templates.items():
        git(template, "tag", OLD)
        with (template / CHANGED[name]).open("a", encoding="utf-8") as file:
            file.write("# new\n")
        commit(template)
        git(template, "tag", NEW)
        copier("copy", f"--vcs-ref={OLD}", str(template), str(folder / f"old-{name}"))
        commit(folder / f"old-{name}")
    found: dict[str, dict[str, list[float]]] = {name: {"copy": [], "update": []} for name in templates}
    for number in range(rounds):
        for name in sorted(templates, reverse=bool(number % 2)):
            service = folder / "service"
            found[name]["copy"].append(copier("copy", f"--vcs-ref={NEW}", str(templates[name]), str(service)))
            shutil.rmtree(service)
            shutil.copytree(folder / f"old-{name}", service, symlinks=True)
            found[name]["update"].append(copier("update", f"--vcs-ref={NEW}", str(service)))
            if not git(service, "diff", "HEAD"):
                sys.exit(f"the update of {name} changed nothing")
            shutil.rmtree(service)
            say(f"{name}: " + ", ".join(f"{command} {times[-1]:.2f} s" for command, times in found[name].items()))
    return found


def commit(folder: Path) -> None:
    """Commit all files in a folder, which becomes a repository if it isn't one."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Change")


def git(folder: Path, *arguments: str) -> str:
    """Run Git in a folder, and return its output."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True).stdout.strip()


def copier(command: str, *arguments: str) -> float:
    """Run Copier as a user does; return the seconds that it took."""
    full = [sys.executable, "-m", "copier", command, "--quiet", "--trust", "--defaults", "--skip-tasks", *arguments]
    started = time.perf_counter()
    done = subprocess.run(full, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(full)}\n{done.stderr}")
    return time.perf_counter() - started
