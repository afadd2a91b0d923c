"""Documents of this repository and of services: links have targets, and README.md shows the real files."""

import re
import shlex
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from offered import PAIRS
from session import PICTURE
from support import README, TEMPLATE, readme_command

MARKDOWN = MarkdownIt("commonmark").enable("table")


def read(document: Path) -> list[Token]:
    """Return a document's tokens, including those inside of paragraphs, headings and cells."""
    tokens = MARKDOWN.parse(document.read_text(encoding="utf-8"))
    return [part for token in tokens for part in (token, *(token.children or []))]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    seen: Counter[str] = Counter()
    found = set()
    tokens = read(document)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = "".join(part.content for part in tokens[place + 1].children if part.type in {"text", "code_inline"})
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return found


def broken_links(*documents: Path) -> list[str]:
    """Return the relative links to missing files or headings."""
    broken = []
    for document in documents:
        for token in read(document):
            link = str(token.attrs.get("href") or token.attrs.get("src") or "")
            if not link or re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = document.parent / path if path else document
            if not target.exists() or (anchor and (target.suffix != ".md" or anchor not in anchors(target))):
                broken.append(f"{document.name}: {link}")
    return broken


def test_links_of_this_repository_have_targets():
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    names = subprocess.run(listed, cwd=TEMPLATE, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")[:-1]
    documents = [TEMPLATE / name for name in names if not name.startswith(("stacks/", "template/"))]

    assert len(documents) > 10
    assert broken_links(*filter(Path.is_file, documents)) == []


@pytest.mark.parametrize("ci", ["github", "gitlab", "none"])
@pytest.mark.parametrize(("framework", "server"), PAIRS)
def test_links_of_a_service_have_targets(framework, server, ci, render):
    documents = [*render(framework=framework, server=server, ci=ci).rglob("*.md")]

    assert len(documents) == 5
    assert broken_links(*documents) == []


def test_broken_links_are_found(tmp_path):
    document = tmp_path / "a.md"
    document.write_text(
        "# A `b`: c\n\n## Twice\n\n## Twice\n\n"
        "[1](#a-b-c) [2](#twice-1) [3](a.md#twice) [4](https://example.com/none) ![5](a.md)\n\n"
        "[6](none.md) [7](#twice-2) [8](a.md#c) ![9](none.svg)\n\n| a |\n| --- |\n| [10](none/) |\n"
    )

    assert broken_links(document) == [
        f"a.md: {link}" for link in ("none.md", "#twice-2", "a.md#c", "none.svg", "none/")
    ]


def test_readme_shows_the_files_of_a_new_service(render):
    service = render()
    # uv.lock needs a package index.
    files = {path.relative_to(service).as_posix() for path in service.rglob("*") if path.is_file()} | {"uv.lock"}
    shown = drawn_paths(re.search(r"^```text\nmyapp/\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1])

    missing = {
        file
        for file in files
        if not re.match(r"\.", file) and not any(fnmatchcase(file, path) or file.startswith(path) for path in shown)
    }
    invented = {path for path in shown if not any(fnmatchcase(file, f"{path}*") for file in files)}
    assert (missing, invented) == (set(), set())


def drawn_paths(tree: str) -> list[str]:
    """Return the paths in a drawn tree: files, and folders without files."""
    folders: list[str] = []
    paths = []
    for line in tree.splitlines():
        branches, name = re.match(r"((?:[│ ]   )*)[├└]── (\S+)", line).groups()
        folders[len(branches) // 4 :] = [name]
        paths.append("".join(folders))
    return [path for path in paths if not any(other != path and other.startswith(path) for other in paths)]


def test_picture_shows_the_command_of_the_readme_and_is_self_contained():
    """GitHub blocks scripts and external resources in pictures."""
    picture = PICTURE.read_text(encoding="utf-8")
    command = shlex.join(readme_command(Path("gh:org/uv-docker-template"))).replace("'", "")

    texts = ["".join(element.itertext()) for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert any(command in text for text in texts)
    assert not re.search(r"<script|href|url\(|@import|@font-face", picture)


def test_reference_lists_all_questions():
    questions = yaml.safe_load((TEMPLATE / "copier.yml").read_text(encoding="utf-8"))
    named = re.findall("`(\\w+)`", (TEMPLATE / "docs/reference/questions.md").read_text(encoding="utf-8"))

    # The year of the first copy is only stored.
    asked = {name for name, question in questions.items() if name[0] != "_" and question.get("when") is not False}
    assert asked - set(named) == {"copyright_year"}
