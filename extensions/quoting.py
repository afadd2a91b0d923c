"""Quoting: any text, written so that a file's real reader gets exactly that text back."""

from __future__ import annotations

import configparser
import io
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

# What Python source had better not hold raw; of the space, the escape is a space. `str.isprintable` would do, but what
# it calls printable grows with every version of Python, and a file must not change with the version that renders it.
_PYTHON_ESCAPED_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"])

_MARKDOWN_SPECIAL = re.compile(
    r"""
      (?P<plain> (?<=[^\W_]) _+ (?=[^\W_]) )  # inside a word, underscores mean nothing
    | (?P<entity> & (?=\#?\w+;) )             # would be read as an entity
    | (?P<special> [\\`*_\[\]<~|] )
    """,
    re.VERBOSE,
)
# What starts a list, a heading, a quotation, or underlines the line above as a heading or a table's.
_MARKDOWN_START = re.compile(r"\A(\d{1,9}(?=[.)](?:\s|\Z))|(?=[-+=>#]|:-))")
# Hashes at the end of a heading are no part of it.
_MARKDOWN_CLOSING = re.compile(r"(?<=\s)(?=#+\Z)")
# White space that Markdown strips or gives a meaning, unless it is written as an entity
_MARKDOWN_SPACE = re.compile(r"\A\s|\s\Z|[\t\n\r]")
# GitHub makes links of bare addresses and shows the escapes within, so these become no links.
_MARKDOWN_LINK = re.compile(r"(?i)(https?|ftp|www)([:.])(?=[^ ]*(?:\\|&\#?\w+;))")
# No entity stands for these, and renderers differ on what they make of them raw.
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


def ini(value: object) -> str:
    """Return a text as the value of an option that configparser reads."""
    text = _text(value)
    quoted = text.replace("%", "%%").replace("\n", "\n    ")
    # INI has no quotes: some texts have no form at all, and only its reader knows which.
    parser = configparser.ConfigParser()
    try:
        parser.read_file(io.StringIO(f"[section]\nkey = {quoted}\n", newline=None))
        carried = parser["section"]["key"] == text
    except configparser.Error:
        carried = False
    if not carried:
        raise _unfit(value, "an INI value")
    return quoted


def dockerfile(value: object) -> str:
    r"""Return a text as a quoted value for a Dockerfile's LABEL or ENV.

    An instruction ends with its line, also inside of quotes, and `\n` means a backslash and an n: no value holds a
    newline.
    """
    text = _text(value)
    if "\n" in text:
        raise _unfit(value, "a Dockerfile's value")
    return '"{}"'.format(re.sub(r'(["$\\])', r"\\\1", text))


def markdown(value: object) -> str:
    """Return Markdown that renders as exactly this text, in a paragraph or in a heading made with `#`."""
    text = _text(value)
    if _MARKDOWN_UNFIT.search(text):
        raise _unfit(value, "Markdown")
    text = _MARKDOWN_SPECIAL.sub(_markdown_escape, text)
    text = _MARKDOWN_START.sub(r"\1\\", text)
    text = _MARKDOWN_CLOSING.sub(r"\\", text)
    text = _MARKDOWN_SPACE.sub(lambda match: f"&#{ord(match[0])};", text)
    return _MARKDOWN_LINK.sub(r"\1\\\2", text)


def python(value: object) -> str:
    """Return a text as a Python string literal, the way that `ruff format` leaves it."""
    if not isinstance(value, str):
        raise _not_text(value)
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_python_char(char, quote) for char in value) + quote


def shell(value: object) -> str:
    """Return a text as one word of a POSIX shell."""
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
    """Return a text that a file can hold, or raise an error that names it."""
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
    """A filter for each language in which rendered files hold answers."""

    def __init__(self, environment: Environment) -> None:
        """Register the filters."""
        super().__init__(environment)
        environment.filters.update(
            toml=toml, yaml=yaml, ini=ini, dockerfile=dockerfile, markdown=markdown, python=python, shell=shell
        )
