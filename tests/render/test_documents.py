"""This repository's documents: links have targets, what they name exists, and the README's commands work."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from choices import CHOICES, PLATFORMS
from links import MARKDOWN, broken_links
from support import README, TEMPLATE, commit, git

LISTED = git(TEMPLATE, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md").split("\0")[:-1]
# Not those of services.
DOCUMENTS = [TEMPLATE / name for name in LISTED if re.match(r"[^/]+$|docs/|\.", name) and (TEMPLATE / name).is_file()]
# Of this repository, and not of services, which have docs/, etc/, src/ and tests/, too.
FOLDERS = (
    r"\.ci|benchmarks|extensions|stacks|tasks|template|tools|tests/(?:cluster|extensions|image|render|service|update)"
)
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def code(document: Path) -> list[str]:
    """Return what is marked as code in a document: spans, and lines of blocks."""
    tokens = MARKDOWN.parse(document.read_text(encoding="utf-8"))
    spans = [child.content for token in tokens for child in token.children or [] if child.type == "code_inline"]
    return [*spans, *(line for token in tokens if token.type == "fence" for line in token.content.splitlines())]


def test_links_have_targets():
    assert len(DOCUMENTS) > 8
    assert broken_links(*DOCUMENTS) == []


def test_broken_links_are_found(tmp_path):
    document = tmp_path / "a.md"
    good = (
        "# A `b`: c\n\n## Twice\n\n## Twice\n\n[1](#a-b-c) [2](#twice-1) [3](a.md#twice) [4](https://example.com/)\n\n"
    )
    document.write_text(
        good + "[6](none.md) [7](#twice-2) [8](a.md#c) ![9](none.svg)\n\n| a |\n| --- |\n| [10](no/) |\n"
    )

    assert broken_links(document) == [f"a.md: {link}" for link in ("none.md", "#twice-2", "a.md#c", "none.svg", "no/")]


@every_document
def test_make_targets_exist(document):
    targets = set(re.findall(r"^([a-z-]+):", (TEMPLATE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for text in code(document) for name in re.findall(r"(?:^|\$ |`)make ([a-z-]+)", text)}

    assert named <= targets


@every_document
def test_named_files_exist(document):
    named = {name for text in code(document) for name in re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]*)", text)}

    # Upper case stands for any name.
    assert [name for name in named if not re.search("[A-Z]{4}", name) and not (TEMPLATE / name).exists()] == []


def test_questions_and_choices_are_documented():
    documented = {text for document in DOCUMENTS for text in code(document)}
    questions = yaml.safe_load((TEMPLATE / "copier.yml").read_text(encoding="utf-8"))
    asked = {name for name, question in questions.items() if name[0] != "_" and question.get("when") is not False}

    # The year of the first copy is only stored.
    assert asked - documented == {"copyright_year"}
    assert {*PLATFORMS, *(name for choices in CHOICES.values() for name in choices)} <= documented


def test_readme_draws_the_files_of_a_new_service(render):
    tree = re.search(r"^```text\nmyapp/\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]
    folders: list[str] = []
    drawn = []
    for line in tree.splitlines():
        branches, name = re.match(r"((?:[│ ]   )*)[├└]── (\S+)", line).groups()
        folders[len(branches) // 4 :] = [name]
        drawn.append("".join(folders))

    service = render()
    files = {path.relative_to(service).as_posix() for path in service.rglob("*") if path.is_file()}
    assert [path for path in drawn if path != "uv.lock" and not (service / path).exists()] == []
    # Neither files with a dot nor __init__.py are drawn, and the folder tests/ as a whole.
    missing = [file for file in files if not any(file == path or file.startswith(path + "/") for path in drawn)]
    assert [file for file in missing if not re.search(r"^\.|__init__|^tests/", file)] == []


@pytest.mark.parametrize("tagged", [True, False])
def test_copy_command_makes_a_service_from_a_clone(tmp_path, without_uv, tagged):
    command = re.search(r"\$ uvx .*? (copier copy .*)\n", README)[1]
    clone = tmp_path / "uv-docker-template"
    git(tmp_path, "clone", "--quiet", "--no-local", TEMPLATE, clone)
    commit(clone)
    if tagged:
        git(clone, "tag", "v1000.0.0")
    arguments = [str(clone) if "uv-docker-template" in part else part for part in shlex.split(command)]
    result = subprocess.run(
        [sys.executable, "-m", *arguments, "--defaults"],
        cwd=tmp_path,
        env={"PATH": without_uv},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "myapp/pyproject.toml").is_file()
    answers = yaml.safe_load((tmp_path / "myapp/.copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["_src_path"] == str(clone)
