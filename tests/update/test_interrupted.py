"""The same commands complete an interrupted update."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support import edit, git
from updating import CHECK, PRESENT, PUT_ASIDE, UPDATE, Template, TrackedService

NEWER = "1001.0.0"

# Counts calls of git, and kills all processes of the update at a given one.
COUNTING_GIT = """#!/bin/sh
echo >> "$COUNT"
[ "$(wc -l < "$COUNT")" = "$KILL_AT" ] && kill -KILL 0
exec {git} "$@"
"""


@pytest.fixture
def service(make, newer: Template) -> TrackedService:
    """Make a service with an edit, an edit that conflicts with a newer release, and a file that git ignores."""
    for file in ("Dockerfile", ".gitignore", "etc/healthcheck.py", "src/my_service/wsgi.py"):
        edit(newer.source(file), (r"\Z", "# Said by a newer release.\n"))
    (newer.folder / "template/.added").write_text("Said by a newer release.\n")
    edit(newer.source("etc/uwsgi.ini"), (r"buffer-size = \d+", "buffer-size = 16384"))
    newer.release(NEWER)
    service = make(template=newer)
    edit(service.folder / "etc/uwsgi.ini", (r"buffer-size = \d+", "buffer-size = 65536"))
    edit(service.folder / "README.md", (r"\A# My Service", "# Our Service"))
    service.commit()
    (service.folder / ".env").write_text("PASSWORD=secret\n")
    return service


def update_killed_at(service: TrackedService, call: int, scratch: Path) -> int:
    """Run an update, and kill it at the given call of git; return the number of calls."""
    tools = scratch / "bin"
    if not tools.exists():
        tools.mkdir()
        (tools / "git").write_text(COUNTING_GIT.format(git=shutil.which("git")))
        (tools / "git").chmod(0o755)
    count = scratch / "count"
    count.write_text("")
    subprocess.run(
        service.update_command(version=NEWER),
        shell=True,
        cwd=service.folder,
        env={
            **service.env,
            "PATH": f"{tools}{os.pathsep}{service.env['PATH']}",
            "COUNT": str(count),
            "KILL_AT": str(call),
            "TMPDIR": str(scratch),  # A killed process leaves its temporary files.
        },
        start_new_session=True,
        capture_output=True,
        check=False,
    )
    return len(count.read_text())


def state(service: TrackedService) -> tuple:
    return service.files(), git(service.folder, "ls-files", "--stage"), service.text(".env")


def copy_of(service: TrackedService, folder: Path) -> TrackedService:
    shutil.copytree(service.folder, folder, symlinks=True)
    return TrackedService(folder, service.env)


@pytest.mark.slow
def test_a_killed_update_is_completed_by_the_same_commands(service: TrackedService, tmp_path: Path):
    before = state(service)
    whole = copy_of(service, tmp_path / "whole")
    calls = update_killed_at(whole, 0, tmp_path)
    expected = state(whole)
    assert whole.conflicts() == ["etc/uwsgi.ini"]

    half_done = 0
    for share in (0.4, 0.55, 0.7, 0.85):
        killed = copy_of(service, tmp_path / f"killed at {share}")
        assert update_killed_at(killed, int(calls * share), tmp_path) == int(calls * share)
        after_kill = state(killed)
        half_done += after_kill not in (before, expected)

        assert killed.attempt(PUT_ASIDE).returncode == 0
        assert state(killed) == before, "what was committed is not all there"
        killed.update(version=NEWER)
        assert state(killed) == expected

    assert half_done >= 2, "the kills came too early or too late to show anything"


def test_documents_of_a_service_have_the_same_commands(original):
    document = original(PRESENT).text("docs/updating.md")

    assert f"$ {PUT_ASIDE}\n$ uvx " in document
    assert f"{UPDATE}\n" in document
    assert f"$ {CHECK}\n" in document


def test_uncommitted_changes_are_put_aside(make):
    service = make()
    edit(service.folder / "README.md", (r"\A# My Service", "# Our Service"))
    (service.folder / "notes.txt").write_text("Ours\n")
    git(service.folder, "add", "notes.txt")
    before = service.files()

    assert service.attempt(PUT_ASIDE).returncode == 0
    service.update()
    service.commit()

    git(service.folder, "stash", "pop")
    assert service.files() == before


def test_unreachable_template_leaves_the_service_unchanged(service: TrackedService, newer: Template):
    before = state(service)
    newer.folder.rename(newer.folder.with_name("elsewhere"))

    assert service.attempt(service.update_command(version=NEWER)).returncode != 0

    assert state(service) == before


def test_missing_lock_is_made_by_the_same_commands(make, user_env: dict[str, str]):
    """First without uv, then without access to the package index."""
    service = make()
    online = TrackedService(service.folder, user_env)
    for offline in (
        service,
        TrackedService(service.folder, {**user_env, "UV_OFFLINE": "1", "UV_CACHE_DIR": "/nonexistent"}),
    ):
        assert "uv.lock was not made" in offline.update()
        assert offline.attempt(PUT_ASIDE).returncode == 0
    assert "uv.lock is up to date." in online.update()
    assert online.attempt("uv lock --check").returncode == 0
