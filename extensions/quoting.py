"""Filters that quote an answer for a file's format, so that its reader gets exactly this text.

Answers are single lines without control characters: see extensions/names.py. In YAML, `to_json` is enough for names, and
`quote`, which Copier brings, quotes for a shell.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

# Characters to escape in Python source; the escape of a space is a space. Not `str.isprintable`: its result depends on
# Python's version, and a file must not change with the version that renders it.
_PYTHON_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}

_MARKDOWN_SPECIAL = re.compile(
    r"""
      (?P<plain> (?<=[^\W_]) _+ (?=[^\W_]) )  # inside a word, underscores have no meaning
    | (?P<entity> & (?=\#?\w+;) )             # would be read as an entity
    | (?P<special> [\\`*_\[\]<~|] )
    """,
    re.VERBOSE,
)
# The start of a list, a heading or a quotation, or the underline of a heading or of a table's head.
_MARKDOWN_START = re.compile(r"\A(\d{1,9}(?=[.)](?:\s|\Z))|(?=[-+=>#]|:-))")
# Hashes at the end of a heading aren't part of its text.
_MARKDOWN_CLOSING = re.compile(r"(?<=\s)(?=#+\Z)")
# White space that Markdown strips, unless it is written as an entity.
_MARKDOWN_SPACE = re.compile(r"\A\s|\s\Z")
# GitHub turns bare addresses into links and shows the escapes in them: prevent the link.
_MARKDOWN_LINK = re.compile(r"(?i)(https?|ftp|www)([:.])(?=[^ ]*(?:\\|&\#?\w+;))")


def toml(value: object) -> str:
    """Return a text, a list of texts, or a mapping to texts as a TOML value on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    # JSON's strings and arrays of them are TOML's, too.
    return json.dumps(value, ensure_ascii=False)


def markdown(text: str) -> str:
    """Return Markdown that renders as exactly this text, in a paragraph or in a heading made with `#`."""
    text = _MARKDOWN_SPECIAL.sub(_markdown_escape, text)
    text = _MARKDOWN_START.sub(r"\1\\", text)
    text = _MARKDOWN_CLOSING.sub(r"\\", text)
    text = _MARKDOWN_SPACE.sub(lambda match: f"&#{ord(match[0])};", text)
    return _MARKDOWN_LINK.sub(r"\1\\\2", text)


def python(text: str) -> str:
    """Return a Python string literal that `ruff format` doesn't change."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_python_char(char, quote) for char in text) + quote


def _markdown_escape(match: re.Match[str]) -> str:
    if match["plain"]:
        return match["plain"]
    return "&amp;" if match["entity"] else f"\\{match['special']}"


def _python_char(char: str, quote: str) -> str:
    if char in (quote, "\\"):
        return f"\\{char}"
    if unicodedata.category(char) in _PYTHON_ESCAPED_CATEGORIES:
        return char.encode("unicode_escape").decode("ascii")
    return char


class QuotingExtension(Extension):
    """A filter for each file format in which answers are rendered."""

    def __init__(self, environment: Environment) -> None:
        """Register the filters."""
        super().__init__(environment)
        environment.filters.update(toml=toml, markdown=markdown, python=python)
