"""What Copier's own merge would lose: see tasks/finish.py and extensions/copying.py."""

import os
from pathlib import Path

import plumbum
import pytest
from support import TEMPLATE, commit, git
from updating import Service

FILE = ".dockerignore"


def prepend(line: str, *files: str):
    """Return a change of the template that puts a line before the first one."""

    def change(folder: Path) -> None:
        for file in files:
            path = next(folder.glob(f"template/{file}*"))
            path.write_text(f"{line}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")

    return change


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Return a function that writes the user's Git configuration."""

    def configure(text: str) -> None:
        file = tmp_path / "gitconfig"
        file.write_text(f"[include]\npath = {TEMPLATE}/tests/home/gitconfig\n{text}", encoding="utf-8")
        for environment in (os.environ, plumbum.local.env):
            monkeypatch.setitem(environment, "GIT_CONFIG_GLOBAL", str(file))

    return configure


# Because of each of these, and of GIT_DIFF_OPTS=-u0, Copier alone loses edits.
LOSING = """[apply]\nwhitespace = error
    [status]\nshowUntrackedFiles = no
    [core]\nattributesFile = {folder}/attributes"""
# With these, its merge is right.
STRANGE = """[core]\nautocrlf = true
    [merge]\nconflictStyle = zdiff3
    [diff]\nnoprefix = true\nmnemonicPrefix = true\nexternal = false
    [commit]\ngpgsign = true
    [gpg]\nprogram = false"""


@pytest.mark.parametrize("settings", [LOSING, STRANGE], ids=["losing", "strange"])
def test_git_settings_lose_no_edit(settings, make, template, configure, tmp_path, monkeypatch):
    version = template.release(prepend("# The template's", FILE, ".gitignore", ".gitattributes", "README.md"))
    service = make()
    last = service.text(FILE).splitlines(keepends=True)[-1]
    service.edit(FILE, last, f"/ours \n{last}")
    ours = service.text(FILE)
    service.edit(".gitignore", "", "# The team's\n")
    service.edit(".gitattributes", "", "# The team's\n")
    service.edit("README.md", "# ", "# The team's ")
    service.write("own.txt", "ours \n")
    service.commit()
    (tmp_path / "attributes").write_text(".gitignore -diff\n", encoding="utf-8")
    for hook in ("pre-commit", "post-checkout", "commit-msg"):
        service.write(f".git/hooks/{hook}", "#!/bin/sh\nexit 1\n")
        (service.folder / ".git/hooks" / hook).chmod(0o755)
    configure(settings.format(folder=tmp_path))
    if settings == LOSING:
        monkeypatch.setitem(plumbum.local.env, "GIT_DIFF_OPTS", "-u0")

    service.update(version)

    # Both sides changed its first line.
    assert service.conflicts() == ["README.md"]
    assert service.text("README.md").startswith("<<<<<<< before updating\n# The team's ")
    assert service.text(FILE) == f"# The template's\n{ours}"
    for file in (".gitignore", ".gitattributes"):
        assert service.text(file).startswith("# The template's\n")
        assert service.text(file).endswith("# The team's\n")
    assert service.text("own.txt") == "ours \n"
    assert not list(service.folder.glob("**/*.rej"))


@pytest.mark.parametrize("place", ["worktree", "submodule", "a subfolder with spaces"])
def test_service_may_lie_anywhere_in_a_repository(place, make, template, tmp_path):
    version = template.release(prepend("# The template's", FILE, ".gitignore"))
    service = make()
    service.edit(FILE, "", "/ours\n")
    service.edit(".gitignore", "/", "# The team's\n/")
    service.commit()
    top = tmp_path / "elsewhere"
    git(tmp_path, "init", "--quiet", top)
    if place == "worktree":
        git(service.folder, "worktree", "add", "--quiet", top / place)
    elif place == "submodule":
        git(top, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", service.folder, place)
    else:
        (service.folder / ".git").rename(tmp_path / "unused")
        service.folder.rename(top / place)
        commit(top)
    service = Service(top / place)

    service.update(version)

    assert service.text(FILE).startswith("# The template's\n")
    assert service.text(FILE).endswith("/ours\n")
    assert service.conflicts() == [".gitignore"]


# --- Renamed and removed files ----------------------------------------------------------------


def rename(declare: bool = True):
    """Return a change that renames .envrc to etc/environment, and changes it."""

    def change(folder: Path) -> None:
        (source,) = folder.glob("template/.envrc*")
        target = folder / "template/etc/environment"
        target.parent.mkdir(exist_ok=True)
        target.write_text(f"# The template's\n{source.read_text(encoding='utf-8')}", encoding="utf-8")
        source.unlink()
        if declare:
            config = folder / "copier.yml"
            text = config.read_text(encoding="utf-8")
            last = '"{{ _copier_conf.answers_file }}"]'
            assert last in text
            config.write_text(text.replace(last, f"{last[:-1]}, .envrc=etc/environment]"), encoding="utf-8")

    return change


def test_edits_move_with_a_renamed_file(make, template, capfd):
    service = make()
    service.edit(".envrc", "", "export OURS=1\n")
    service.commit()
    before = service.text(".envrc")

    service.update(template.release(rename()))

    assert service.text("etc/environment") == f"# The template's\n{before}"
    assert not (service.folder / ".envrc").exists()
    assert service.conflicts() == []
    assert capfd.readouterr().err.count(".envrc") == 0


def test_conflict_in_a_renamed_file_is_marked(make, template, capfd, tmp_path):
    service = make(folder=tmp_path / "all services" / "service")
    service.write(".envrc", f"# The team's\n{service.text('.envrc')}")
    (service.folder / ".git").rename(tmp_path / "unused")
    git(tmp_path, "init", "--quiet", service.folder.parent)
    commit(service.folder.parent)

    service.update(template.release(rename()))

    assert service.conflicts() == ["etc/environment"]
    assert "# The team's\n=======\n# The template's\n" in service.text("etc/environment")
    assert "etc/environment is in conflict." in capfd.readouterr().err


def test_untouched_file_is_renamed_and_a_deleted_one_stays_deleted(make, template, tmp_path):
    version = template.release(rename())
    service = make()
    service.update(version)
    assert service.files() == template.copy(tmp_path / "fresh", version).files()

    deleting = make(folder=tmp_path / "deleting")
    (deleting.folder / ".envrc").unlink()
    deleting.commit()
    deleting.update(version)
    assert not (deleting.folder / "etc/environment").exists()


def test_deleted_files_with_edits_are_named(make, template, capfd):
    service = make()
    service.edit(".envrc", "", "export OURS=1\n")
    service.commit()

    def remove(folder: Path) -> None:
        rename(declare=False)(folder)
        next(folder.glob("template/.python-version*")).unlink()

    service.update(template.release(remove))

    messages = capfd.readouterr().err
    assert (
        ".envrc is no longer in the template, and was deleted with your changes. Your version: git show HEAD:./.envrc"
        in messages
    )
    assert ".python-version" not in messages
    assert "OURS" in git(service.folder, "show", "HEAD:./.envrc")


@pytest.mark.parametrize("line", [b"\xe9\n", b"\0\n"], ids=["latin-1", "binary"])
def test_overwritten_files_are_named(line, make, template, capfd):
    service = make()
    service.write(FILE, (service.folder / FILE).read_bytes() + line)
    service.write("own.bin", line)
    service.commit()

    service.update(template.release(prepend("# The template's", FILE)))

    messages = capfd.readouterr().err
    assert f"{FILE} isn't UTF-8 text, which Copier can't merge: it was overwritten." in messages
    assert "own.bin" not in messages
    assert (service.folder / "own.bin").read_bytes() == line


def test_rejected_changes_are_named(make, template, capfd):
    service = make()
    service.edit("README.md", "# ", "# The team's ")
    service.commit()

    service.update(template.release(prepend("# The template's", "README.md")), conflict="rej")

    assert "README.md.rej has changes of yours" in capfd.readouterr().err


def test_examples_stay_deleted(make, template):
    service = make()
    (service.folder / "tests/test_app.py").unlink()
    (service.folder / "README.md").unlink()
    service.commit()

    service.update(template.release(prepend("# The template's", "README.md", FILE)))

    assert not (service.folder / "README.md").exists()
    assert not (service.folder / "tests/test_app.py").exists()
    assert service.conflicts() == []
