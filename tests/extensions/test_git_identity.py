"""A default from Git is a value of its configuration or empty, never an error."""

import subprocess

import git_identity
import pytest


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """Change to an empty folder with an empty configuration of Git, and return that file."""
    path = tmp_path / "gitconfig"
    path.touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.mark.parametrize("name", ["Zoë O'Hara", "می\u200cرویم", '"x"', "a # b; c", "$(id)"])
def test_value_is_returned(name):
    subprocess.run(["git", "config", "--global", "user.name", name], check=True)
    assert git_identity.git_config("user.name") == name


def test_configuration_of_the_current_repository_takes_precedence(configuration):
    subprocess.run(["git", "init", "--quiet"], check=True)
    configuration.write_text("[user]\nemail = private@example.com\n")
    subprocess.run(["git", "config", "user.email", "work@example.com"], check=True)
    assert git_identity.git_config("user.email") == "work@example.com"


@pytest.mark.parametrize("content", [b"", b"[user\nname = x\n", b"[user]\nname = Zo\xeb\n"])
def test_missing_or_broken_configuration_gives_nothing(configuration, content, capfd):
    configuration.write_bytes(content)
    assert git_identity.git_config("user.name") == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("script", ["", "echo oops; exit 1", "while :; do :; done"])
def test_missing_failing_or_hanging_git_gives_nothing(script, tmp_path, monkeypatch):
    if script:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(git_identity, "TIMEOUT", 0.3)
    assert git_identity.git_config("user.name") == ""
