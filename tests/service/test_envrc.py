"""Entering a service's folder makes and activates its environment."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def fresh(service, tmp_path):
    """Copy the service without the lock and the environment, which .envrc makes."""
    folder = tmp_path / "service"
    shutil.copytree(service.folder, folder, ignore=shutil.ignore_patterns(".venv", "uv.lock"))
    return folder


@pytest.fixture
def env(service, tmp_path):
    """Return an environment without the user's direnv permissions and uv settings."""
    return {
        **{name: text for name, text in service.env.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}},
        "HOME": str(tmp_path / "home"),
        "UV_CACHE_DIR": subprocess.run(
            ["uv", "cache", "dir"], env=service.env, capture_output=True, text=True, check=True
        ).stdout.strip(),
    }


WHERE = "python -c 'import sys, my_service; print(sys.prefix)'"


def test_direnv_makes_lock_and_environment_and_activates(direnv, fresh, env):
    subprocess.run([direnv, "allow", fresh], env=env, check=True)
    prefix = subprocess.run(
        [direnv, "exec", fresh, "sh", "-c", WHERE], env=env, cwd="/", capture_output=True, text=True, check=False
    )
    assert prefix.stdout.strip().splitlines()[-1:] == [str(fresh / ".venv")], prefix.stderr
    assert (fresh / "uv.lock").is_file()


def test_direnv_leaves_an_existing_environment_alone(direnv, service, env):
    marker = service.folder / ".venv/pyvenv.cfg"
    before = marker.stat().st_mtime_ns
    subprocess.run([direnv, "allow", service.folder], env=env, check=True)
    subprocess.run([direnv, "exec", service.folder, "sh", "-c", WHERE], env=env, cwd="/", check=True)
    assert marker.stat().st_mtime_ns == before


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_plain_shell_can_source_it(shell, fresh, env):
    prefix = subprocess.run(
        [shell, "-euc", f". ./.envrc; {WHERE}"], cwd=fresh, env=env, capture_output=True, text=True, check=False
    )
    assert prefix.stdout.strip().splitlines()[-1:] == [str(fresh / ".venv")], prefix.stderr


def test_without_uv_it_activates_what_is_there(service, env, without_uv):
    prefix = subprocess.run(
        ["/bin/sh", "-euc", f". ./.envrc; {WHERE}"],
        cwd=service.folder,
        env={**env, "PATH": without_uv},
        capture_output=True,
        text=True,
        check=False,
    )
    assert prefix.stdout.strip() == str(service.folder / ".venv"), prefix.stderr
    assert os.access(service.folder / ".venv/bin/python", os.X_OK)
