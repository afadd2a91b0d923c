"""Links of Markdown documents."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

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
