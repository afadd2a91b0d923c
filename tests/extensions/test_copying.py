"""extensions/copying.py; what Git's settings are for is tested in tests/update/."""

import runpy
import sys

import plumbum
import pytest
from copier.errors import UserMessageError
from copying import findable, protect_merge
from support import TEMPLATE


def test_paths_become_absolute_and_urls_stay(tmp_path, monkeypatch):
    (tmp_path / "template").mkdir()
    monkeypatch.chdir(tmp_path)

    assert findable("template") == str(tmp_path / "template")
    assert findable("gh:org/template") == "gh:org/template"
    assert findable("git@github.com:org/template.git") == "git@github.com:org/template.git"


def test_git_settings_are_added_once_to_the_users():
    user = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "apply.whitespace", "GIT_CONFIG_VALUE_0": "error"}
    with plumbum.local.env(**user, GIT_DIFF_OPTS="-u0"):
        protect_merge()
        protect_merge()

        git = plumbum.local["git"]
        assert git("config", "--get-all", "apply.whitespace").split() == ["error", "nowarn"]
        assert git("config", "--get", "status.showUntrackedFiles").strip() == "normal"
        assert "GIT_DIFF_OPTS" not in plumbum.local.env


def test_old_python_is_refused_with_a_message(monkeypatch):
    """It lacks tomllib, which the other extensions import."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))

    with pytest.raises(UserMessageError, match=r"needs Copier on Python 3\.11 or newer"):
        runpy.run_path(str(TEMPLATE / "extensions/copying.py"))
