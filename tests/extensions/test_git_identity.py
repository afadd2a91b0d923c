"""A default from Git is a value of its configuration or empty, never an error."""

import subprocess

import git_identity
import pytest
from jinja2 import Environment


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """Change to an empty folder with an empty configuration of Git, and return that file."""
    path = tmp_path / "gitconfig"
    path.touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return path


def git_that(script, folder, monkeypatch):
    git = folder / "git"
    git.write_text(f"#!/bin/sh\n{script}\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("name", ["Ada Lovelace", "Zoë O'Hara", "Łukasz", "می\u200cرویم", '"x"', "a # b; c", "$(id)"])
def test_value_is_returned(name):
    subprocess.run(["git", "config", "--global", "user.name", name], check=True)
    assert git_identity.git_config("user.name") == name


def test_configuration_of_the_current_repository_takes_precedence(configuration):
    subprocess.run(["git", "init", "--quiet"], check=True)
    configuration.write_text("[user]\nemail = private@example.com\n")
    subprocess.run(["git", "config", "user.email", "work@example.com"], check=True)
    assert git_identity.git_config("user.email") == "work@example.com"


def test_unset_value_is_empty():
    assert git_identity.git_config("user.name") == ""


def test_machine_without_git_gives_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_identity.git_config("user.name") == ""


def test_broken_configuration_gives_nothing(configuration, capfd):
    configuration.write_text("[user\nname = x\n")
    assert git_identity.git_config("user.name") == ""
    assert capfd.readouterr() == ("", "")


def test_removed_folder_gives_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert git_identity.git_config("user.name") == ""


@pytest.mark.parametrize("key", ["", "user", "no such key", "user.name; id"])
def test_impossible_key_gives_nothing(key):
    assert git_identity.git_config(key) == ""


@pytest.mark.parametrize("value", [r"a\nb", r"a\tb", "a\x1b[31m", "a\u2028b"])
def test_unprintable_value_gives_nothing(value, configuration):
    configuration.write_text(f'[user]\nname = "{value}"\n', encoding="utf-8")
    assert git_identity.git_config("user.name") == ""


def test_value_that_is_not_utf_8_gives_nothing(configuration):
    configuration.write_bytes(b"[user]\nname = Zo\xeb\n")
    assert git_identity.git_config("user.name") == ""


def test_output_of_a_failing_git_is_ignored(tmp_path, monkeypatch):
    git_that("echo oops; exit 1", tmp_path, monkeypatch)
    assert git_identity.git_config("user.name") == ""


def test_hanging_git_times_out(tmp_path, monkeypatch):
    git_that("exec sleep 60", tmp_path, monkeypatch)
    monkeypatch.setattr(git_identity, "TIMEOUT", 0.1)
    assert git_identity.git_config("user.name") == ""


def test_global_is_available_in_templates():
    subprocess.run(["git", "config", "--global", "user.name", "Ada"], check=True)
    environment = Environment(extensions=[git_identity.GitIdentityExtension])
    assert environment.from_string("{{ git_config('user.name') }}").render() == "Ada"
