"""tasks/lock.py: a copy never fails because of the lock, and the message is true."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support import TEMPLATE

PROJECT = '[project]\nname = "project"\nversion = "0"\nrequires-python = "==3.13.*"\n'
UP_TO_DATE = "uv.lock is up to date."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a service without dependencies."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / ".python-version").write_text("3.13\n", encoding="utf-8")
    return folder


def lock(folder: Path, **env: str) -> str:
    """Run the task in a folder as Copier does; return its output."""
    task = [sys.executable, "-I", TEMPLATE / "tasks/lock.py"]
    env = {name: text for name, text in os.environ.items() if name not in {"GIT_SSL_CAINFO", "PIP_CERT"}} | env
    result = subprocess.run(task, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    return result.stderr


def needs(folder: Path, requirement: str) -> None:
    """Let a project need a package."""
    (folder / "pyproject.toml").write_text(f'{PROJECT}dependencies = ["{requirement}"]\n', encoding="utf-8")


@pytest.fixture
def uv(tmp_path: Path, without_uv: str):
    """Return a function that makes a PATH on which uv is a program of the test."""

    def uv(program: str | bytes) -> dict[str, str]:
        folder = tmp_path / "bin"
        shutil.copytree(without_uv, folder, symlinks=True)
        (folder / "uv").write_bytes(program if isinstance(program, bytes) else program.encode())
        (folder / "uv").chmod(0o755)
        return {"PATH": str(folder)}

    return uv


# --- It locks -----------------------------------------------------------------------------------


def test_beside_modules_of_the_same_names_as_the_templates(tmp_path):
    folder = tmp_path / "services" / "orders"
    folder.mkdir(parents=True)
    for name in ("names", "pythons", "lock", "re", "yaml"):
        (folder / f"{name}.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    copier = [sys.executable, "-m", "copier", "copy", "--trust", "--defaults", "--quiet", "--vcs-ref=HEAD"]
    env = {**os.environ, "PYTHONSAFEPATH": "1"}
    run = subprocess.run(
        [*copier, TEMPLATE, folder], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
    assert UP_TO_DATE in run.stderr
    env = {name: text for name, text in env.items() if name != "PYTHONSAFEPATH"}
    env["PYTHONPATH"] = "."
    subprocess.run(["uv", "lock", "--check"], cwd=folder, env=env, check=True)


def test_what_keeps_uv_from_locking_is_ignored(project, tmp_path):
    """With UV_FROZEN, uv would keep an outdated lock, and exit with success."""
    lock(project)
    (project / "uv.lock").write_text((project / "uv.lock").read_text().replace('"project"', '"other"'))

    assert UP_TO_DATE in lock(project, UV_FROZEN="1", UV_PROJECT=str(tmp_path), VIRTUAL_ENV=str(tmp_path))

    assert 'name = "project"' in (project / "uv.lock").read_text()


def test_without_the_file_that_names_its_python(project):
    (project / ".python-version").unlink()
    (project / "pyproject.toml").write_text(PROJECT.replace("==3.13.*", ">=3.11"), encoding="utf-8")

    assert UP_TO_DATE in lock(project)


def test_certificates_are_passed_to_git_and_pip(project, uv):
    seen = lock(project, SSL_CERT_FILE="/company.pem", **uv('#!/bin/sh\necho "$1 $GIT_SSL_CAINFO $PIP_CERT" >&2\n'))

    assert "lock /company.pem /company.pem" in seen


# --- It doesn't, and tells why ------------------------------------------------------------------


def test_conflict(project):
    lock(project)
    (project / "pyproject.toml").write_text("<<<<<<< before updating\n")

    assert "uv.lock is unchanged: resolve the conflict in pyproject.toml, then run `uv lock`." in lock(project)

    (project / "pyproject.toml").write_text(PROJECT)
    (project / ".python-version.rej").touch()
    assert "resolve the conflict in .python-version," in lock(project)


def test_member_of_a_workspace(project):
    workspace = (
        '[project]\nname = "all"\nversion = "0"\nrequires-python = "==3.13.*"\n[tool.uv.workspace]\nmembers = ["*"]\n'
    )
    (project.parent / "pyproject.toml").write_text(workspace)

    elsewhere = f"uv.lock is in {project.parent}, because this service is a member of the uv workspace there."
    assert elsewhere in lock(project)

    # A lock from before it became a member isn't used.
    (project / "uv.lock").touch()
    assert elsewhere in lock(project)

    # What the message advises.
    (project / "uv.lock").unlink()
    (project.parent / "pyproject.toml").write_text(f'{workspace}exclude = ["project"]\n')
    assert UP_TO_DATE in lock(project)
    assert 'name = "project"' in (project / "uv.lock").read_text()


def test_no_uv(project, without_uv):
    assert "uv.lock was not made: there is no uv. Install it, then run `uv lock`" in lock(project, PATH=without_uv)


def test_no_python(project, tmp_path):
    nowhere = str(tmp_path)
    (project / "pyproject.toml").write_text(PROJECT.replace("3.13", "3.9"))
    (project / ".python-version").write_text("3.9")
    pythons = {"UV_PYTHON_INSTALL_DIR": nowhere, "UV_PYTHON_DOWNLOADS": "never", "PYENV_ROOT": nowhere}

    message = lock(project, UV_PYTHON_SEARCH_PATH=nowhere, **pythons, PATH=f"{Path(shutil.which('uv')).parent}")

    assert "there is no Python 3.9 on this machine, and uv could not fetch one" in message


@pytest.mark.parametrize("index", ["unreachable", "silent", "offline"])
def test_no_index(index, project, tmp_path):
    needs(project, "anyascii")
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:  # It accepts, and never responds.
        port = {"unreachable": 9, "silent": server.getsockname()[1], "offline": 9}[index]
        env = {"UV_DEFAULT_INDEX": f"http://127.0.0.1:{port}/simple", "UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"}
        env |= {"UV_OFFLINE": "1"} if index == "offline" else {}
        message = lock(project, UV_CACHE_DIR=str(tmp_path / "cache"), **env)

    assert "uv.lock was not made: uv ended with exit status" in message
    assert not (project / "uv.lock").exists()


def test_invalid_project(project):
    lock(project)
    (project / "pyproject.toml").write_text("[project]\n")

    assert "uv.lock is not up to date: uv ended with exit status 2. Fix that" in lock(project)


def test_uv_fails_in_odd_ways(project, uv, tmp_path):
    env = uv('#!/bin/sh\n[ "$1" = lock ] && exec sleep 1000\n')
    assert "uv took more than 1 s" in lock(project, LOCK_TIMEOUT="1", **env)

    program = tmp_path / "bin/uv"
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    assert "uv was killed by signal 9." in lock(project, **env)

    program.write_bytes(b"\x7fELF and then nothing")
    assert "uv does not start" in lock(project, **env)


def test_unreadable_file(project):
    (project / ".python-version").write_bytes(b"\xff")

    assert "run `uv lock` in the service's folder." in lock(project)


# --- In an update -------------------------------------------------------------------------------


def test_update_locks_what_it_merged(tmp_path, template_files):
    """The lock has a package that only the service needs, and one that only the new template does."""
    template, folder = tmp_path / "template", tmp_path / "service"
    shutil.copytree(template_files, template)
    copier = [sys.executable, "-m", "copier"]

    def git(where: Path, *commands: str) -> None:
        for command in commands:
            subprocess.run(["git", "-C", where, *command.split()], check=True)

    git(template, "init --quiet", "add --all", "commit --quiet -m 1", "tag v1.0.0")
    subprocess.run([*copier, "copy", "--trust", "--defaults", "--quiet", template, folder], check=True)
    subprocess.run(["uv", "add", "--quiet", "--no-sync", "anyascii"], cwd=folder, check=True)
    git(folder, "init --quiet", "add --all", "commit --quiet -m Start")
    pyproject = template / "template/pyproject.toml.jinja"
    text = pyproject.read_text(encoding="utf-8")
    assert "dev = [\n" in text
    pyproject.write_text(text.replace("dev = [\n", 'dev = [\n    "iniconfig>=2",\n'), encoding="utf-8")
    git(template, "commit --all --quiet -m 2", "tag v2.0.0")

    update = subprocess.run(
        [*copier, "update", "--trust", "--defaults"], cwd=folder, capture_output=True, text=True, check=False
    )

    assert update.returncode == 0, update.stderr
    assert update.stderr.count(UP_TO_DATE) == 1
    text = (folder / "uv.lock").read_text(encoding="utf-8")
    assert '{ name = "anyascii" }' in text
    assert '{ name = "iniconfig", specifier = ">=2" }' in text
    subprocess.run(["uv", "lock", "--check"], cwd=folder, check=True)

    git(folder, "reset --quiet --hard")
    command = [*copier, "update", "--trust", "--defaults", "--skip-tasks"]
    update = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "uv.lock" not in update.stderr
