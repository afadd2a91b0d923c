"""Filters that quote text for a file format, so that its parser reads exactly this text."""

from __future__ import annotations

import json
import re
import reprlib
import shlex
import unicodedata
from typing import TYPE_CHECKING

import yaml as pyyaml
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

# Characters to escape in Python source; the escape of a space is a space. Not `str.isprintable`: its result depends on
# Python's version, and a file must not change with the version that renders it.
_PYTHON_ESCAPED_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"])

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
# White space that Markdown strips or interprets, unless it is written as an entity.
_MARKDOWN_SPACE = re.compile(r"\A\s|\s\Z|[\t\n\r]")
# GitHub turns bare addresses into links and shows the escapes in them: prevent the link.
_MARKDOWN_LINK = re.compile(r"(?i)(https?|ftp|www)([:.])(?=[^ ]*(?:\\|&\#?\w+;))")
# There are no entities for these, and renderers treat the raw characters differently.
_MARKDOWN_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def toml(value: object) -> str:
    """Return a text, boolean, integer, list or mapping as a TOML value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{_toml_key(key)} = {toml(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    # JSON leaves DEL alone, which TOML forbids.
    return json.dumps(_text(value), ensure_ascii=False).replace("\x7f", r"\u007f")


def yaml(value: object) -> str:
    """Return a text as a double-quoted YAML scalar on one line."""
    dumped: str = pyyaml.safe_dump(_text(value), default_style='"', allow_unicode=True, width=float("inf"))
    return dumped.removesuffix("\n")


def dockerfile(value: object) -> str:
    r"""Return a text as a quoted value for a Dockerfile's LABEL or ENV.

    An instruction ends with its line, even inside of quotes, and `\n` means a backslash and an n.

    Raises:
        ValueError: The text contains a newline.
    """
    text = _text(value)
    if "\n" in text:
        raise _unfit(value, "a Dockerfile's value")
    return '"{}"'.format(re.sub(r'(["$\\])', r"\\\1", text))


def markdown(value: object) -> str:
    """Return Markdown that renders as exactly this text, in a paragraph or in a heading made with `#`.

    Raises:
        ValueError: The text contains a control character.
    """
    text = _text(value)
    if _MARKDOWN_UNFIT.search(text):
        raise _unfit(value, "Markdown")
    text = _MARKDOWN_SPECIAL.sub(_markdown_escape, text)
    text = _MARKDOWN_START.sub(r"\1\\", text)
    text = _MARKDOWN_CLOSING.sub(r"\\", text)
    text = _MARKDOWN_SPACE.sub(lambda match: f"&#{ord(match[0])};", text)
    return _MARKDOWN_LINK.sub(r"\1\\\2", text)


def python(value: object) -> str:
    """Return a text as a Python string literal that `ruff format` doesn't change."""
    if not isinstance(value, str):
        raise _not_text(value)
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_python_char(char, quote) for char in value) + quote


def shell(value: object) -> str:
    """Return a text as one word of a POSIX shell.

    Raises:
        ValueError: The text contains a zero byte.
    """
    text = _text(value)
    if "\0" in text:
        raise _unfit(value, "a shell's word")
    return shlex.quote(text)


def _toml_key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else toml(key)


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


def _text(value: object) -> str:
    """Return *value* if it is a text that a file can contain.

    Raises:
        TypeError: It isn't a text.
        ValueError: UTF-8 can't encode it.
    """
    if not isinstance(value, str):
        raise _not_text(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _unfit(value, "a file") from None
    return value


def _not_text(value: object) -> TypeError:
    return TypeError(f"only a text can be quoted, not {reprlib.repr(value)}")


def _unfit(value: object, place: str) -> ValueError:
    return ValueError(f"choose another text: {reprlib.repr(value)} doesn't fit into {place}")


class QuotingExtension(Extension):
    """A filter for each file format in which answers are rendered."""

    def __init__(self, environment: Environment) -> None:
        """Register the filters."""
        super().__init__(environment)
        environment.filters.update(
            toml=toml, yaml=yaml, dockerfile=dockerfile, markdown=markdown, python=python, shell=shell
        )
