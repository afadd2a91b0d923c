"""If uv.lock can't be made, the service is complete except for it."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support import TEMPLATE

COMPLETE = {".copier-answers.yml", ".envrc", ".python-version", "README.md", "etc", "pyproject.toml", "src", "tests"}


def copy(folder, env) -> str:
    """Copy the template; return the output, after checking that the service is complete except for its lock."""
    result = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--trust", "--defaults", "--vcs-ref=HEAD", TEMPLATE, folder],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert {path.name for path in folder.iterdir()} >= COMPLETE
    assert not (folder / "uv.lock").exists()
    assert "uv.lock was not made: " in result.stderr
    assert "then run `uv lock` in the service's folder." in result.stderr
    return result.stderr


@contextmanager
def silent_index():
    """Accept connections without ever responding, like a black hole; yield the address."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        accepted = []

        def accept() -> None:
            try:
                while True:
                    accepted.append(server.accept())
            except OSError:
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection, _ in accepted:
            connection.close()


@contextmanager
def git_over_tls(folder: Path):
    """Serve a package's repository with a self-signed certificate; yield its address and the certificate."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", *name, "-out", certificate, "-keyout", key)
    subprocess.run(openssl, check=True, capture_output=True)
    source, served = folder / "source", folder / "served"
    source.mkdir()
    (source / "pyproject.toml").write_text('[project]\nname = "house-rules"\nversion = "1"\n', encoding="utf-8")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=Start"]):
        subprocess.run(["git", *command], cwd=source, check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", source, served / "house-rules.git"], check=True)
    subprocess.run(["git", "update-server-info"], cwd=served / "house-rules.git", check=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=served)) as server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_port}/house-rules.git", certificate
        server.shutdown()
        thread.join()


def test_certificates_that_ssl_cert_file_names_are_passed_to_git(tmp_path, nothing_cached):
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / ".python-version").write_text("3.13\n", encoding="utf-8")
    with git_over_tls(tmp_path) as (address, certificate):
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "service"\nversion = "1"\nrequires-python = ">=3.13"\n'
            f'dependencies = ["house-rules @ git+{address}"]\n',
            encoding="utf-8",
        )
        env = {name: text for name, text in nothing_cached.items() if name != "GIT_SSL_CAINFO"}
        lock = subprocess.run(
            [sys.executable, TEMPLATE / "tasks/lock.py"],
            cwd=folder,
            env={**env, "SSL_CERT_FILE": str(certificate)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert "uv.lock is up to date." in lock.stderr, lock.stderr


@pytest.fixture
def nothing_cached(user_env, tmp_path):
    return {**user_env, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}


def test_without_uv(tmp_path, without_uv, user_env):
    env = {name: text for name, text in user_env.items() if name != "UV"}
    assert "there is no uv" in copy(tmp_path / "service", {**env, "PATH": without_uv})


def test_without_the_services_python(tmp_path, without_uv, user_env):
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in [*Path(without_uv).iterdir(), Path(shutil.which("uv"))]:
        if not program.name.startswith("python"):
            (folder / program.name).symlink_to(program)
    nowhere = str(tmp_path / "nowhere")
    env = {name: text for name, text in user_env.items() if name != "UV_PYTHON"}
    env |= {
        "PATH": str(folder),
        "PYENV_ROOT": nowhere,
        "UV_PYTHON_INSTALL_DIR": nowhere,
        "UV_PYTHON_DOWNLOADS": "never",
    }

    assert "there is no Python 3.13 on this machine, and uv could not fetch one" in copy(tmp_path / "service", env)


def test_with_an_unreachable_index(tmp_path, nothing_cached):
    seen = copy(tmp_path / "service", {**nothing_cached, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"})
    assert "127.0.0.1:9" in seen


def test_with_an_index_that_never_answers(tmp_path, nothing_cached):
    with silent_index() as address:
        seen = copy(tmp_path / "service", {**nothing_cached, "UV_DEFAULT_INDEX": address, "UV_HTTP_TIMEOUT": "1"})
    assert address in seen


def test_without_a_network(tmp_path, nothing_cached):
    seen = copy(tmp_path / "service", {**nothing_cached, "UV_OFFLINE": "1"})
    assert "network" in seen


def test_with_a_uv_that_does_not_start(tmp_path, user_env, without_uv):
    folder = tmp_path / "bin"
    shutil.copytree(without_uv, folder, symlinks=True)
    (folder / "uv").write_bytes(b"\x7fELF and then nothing")
    (folder / "uv").chmod(0o755)
    copy(tmp_path / "service", {**user_env, "PATH": str(folder)})


def test_with_a_uv_that_hangs(tmp_path, user_env, without_uv):
    folder = tmp_path / "bin"
    shutil.copytree(without_uv, folder, symlinks=True)
    (folder / "uv").write_text('#!/bin/sh\n[ "$1" = lock ] && exec sleep 1000\n')
    (folder / "uv").chmod(0o755)
    seen = copy(tmp_path / "service", {**user_env, "PATH": str(folder), "LOCK_TIMEOUT": "1"})
    assert "took more than 1 s" in seen


def lock(folder: Path, env: dict[str, str]) -> str:
    """Run the task in a service; return its message."""
    task = [sys.executable, TEMPLATE / "tasks/lock.py"]
    return subprocess.run(task, cwd=folder, env=env, capture_output=True, text=True, check=True).stderr


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    text = '[project]\nname = "project"\nversion = "0"\nrequires-python = "==3.13.*"\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_without_the_file_that_names_its_python(project, user_env):
    assert "uv.lock is up to date." in lock(project, user_env)


def test_uv_frozen_does_not_prevent_locking(project, user_env):
    """With UV_FROZEN, uv would keep an outdated lock, and exit with success."""
    lock(project, user_env)
    (project / "uv.lock").write_text((project / "uv.lock").read_text().replace('"project"', '"other"'))

    assert "uv.lock is up to date." in lock(project, {**user_env, "UV_FROZEN": "1"})

    assert 'name = "project"' in (project / "uv.lock").read_text()


def test_an_outdated_lock_is_not_reported_as_missing(project, user_env):
    lock(project, user_env)
    (project / "pyproject.toml").write_text("[project]\n")

    assert "uv.lock is not up to date: uv ended with exit status 2." in lock(project, user_env)


def test_a_killed_uv_is_reported_with_its_signal(project, user_env, without_uv, tmp_path):
    folder = tmp_path / "bin"
    shutil.copytree(without_uv, folder, symlinks=True)
    (folder / "uv").write_text("#!/bin/sh\nkill -KILL $$\n")
    (folder / "uv").chmod(0o755)

    assert "uv was killed by signal 9." in lock(project, {**user_env, "PATH": str(folder)})


def test_update_locks_what_it_merged(tmp_path, template_clone, user_env):
    """The lock has a dependency that only the service has, and one that only the new template has."""
    template = tmp_path / "template"
    shutil.copytree(template_clone, template)
    folder = tmp_path / "service"
    git = ["git", "-C", folder]
    copier = [sys.executable, "-m", "copier"]

    def release(tag: str) -> None:
        subprocess.run(["git", "-C", template, "commit", "--all", "--allow-empty", "--quiet", "-m", tag], check=True)
        subprocess.run(["git", "-C", template, "tag", tag], check=True)

    release("v1000.0.0")
    subprocess.run([*copier, "copy", "--trust", "--defaults", "--quiet", template, folder], env=user_env, check=True)
    subprocess.run(["uv", "add", "--quiet", "--no-sync", "anyascii"], cwd=folder, env=user_env, check=True)
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "Start"], check=True)

    pyproject = template / "template/pyproject.toml.jinja"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace("dev = [\n", 'dev = [\n    "iniconfig>=2",\n'), encoding="utf-8")
    release("v1000.0.1")
    update = subprocess.run(
        [*copier, "update", "--trust", "--defaults"],
        cwd=folder,
        env=user_env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert update.returncode == 0, update.stderr
    assert update.stderr.count("uv.lock is up to date.") == 1
    lock = (folder / "uv.lock").read_text(encoding="utf-8")
    assert '{ name = "anyascii" }' in lock
    assert '{ name = "iniconfig", specifier = ">=2" }' in lock
    subprocess.run(["uv", "lock", "--check"], cwd=folder, env=user_env, check=True)
    assert os.listdir(folder).count("uv.lock") == 1
