"""The parser of each file format reads a quoted text as exactly the same text."""

import ast
import subprocess
import sys
import tomllib

import pytest
from hostile import TEXTS
from markdown_it import MarkdownIt
from quoting import markdown, python, toml

every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


@every_text
def test_toml_reads_back(text):
    author = {"name": text, "email": "jo@example.com"}

    assert tomllib.loads(f"key = {toml(text)}\nlist = {toml([text, text])}\ntable = {toml(author)}") == {
        "key": text,
        "list": [text, text],
        "table": author,
    }


def test_toml_leaves_ordinary_text_unescaped():
    assert toml("It's Ünïcödé 🚀") == '"It\'s Ünïcödé 🚀"'
    assert toml({"name": "Jo", "email": "x"}) == '{ name = "Jo", email = "x" }'


@every_text
def test_python_reads_back_and_hides_nothing(text):
    quoted = python(text)

    assert ast.literal_eval(quoted) == text
    assert all(char.isprintable() or char in "\ue000\uffff" for char in quoted)


def test_python_is_unchanged_by_ruff_format():
    source = "".join(f"x = {python(text)}\n" for text in [*TEXTS.values(), "", "'\"'"])
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--stdin-filename=x.py", "-"]
    formatted = subprocess.run(ruff, input=source, encoding="utf-8", stdout=subprocess.PIPE, check=True)
    assert formatted.stdout.splitlines() == source.splitlines()


def rendered(reader: MarkdownIt, source: str, *containers: str) -> str:
    """Return the text of a document that is one paragraph or heading of plain text in these containers."""
    tokens = reader.parse(source)
    assert [token.tag for token in tokens if token.nesting == 1] == list(containers)
    (inline,) = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in inline.children} <= {"text", "text_special", "softbreak"}
    return "".join("\n" if child.type == "softbreak" else child.content for child in inline.children)


@pytest.mark.parametrize("preset", ["commonmark", "gfm-like"])
@every_text
def test_markdown_renders_as_the_text(text, preset):
    reader = MarkdownIt(preset, {"linkify": False})
    quoted = markdown(text)

    assert rendered(reader, f"{quoted}\n", "p") == text
    assert rendered(reader, f"# {quoted}\n", "h1") == text
    assert rendered(reader, f"- {quoted}\n", "ul", "li", "p") == text
    assert rendered(reader, f"Of it: {quoted}.\n", "p") == f"Of it: {text}."
    assert rendered(reader, f"Before\n{quoted}\nafter\n", "p") == f"Before\n{text}\nafter"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("""It's a "service" (v1.2), ok - really!""", None),
        ("AT&T & co; 100% of $5, a/b: c = d", None),
        ("C# and snake_case in 2026.", None),
        ("https://example.com/a_b?c=1&d=2#e", None),
        ("1. list", r"1\. list"),
        (":--", r"\:--"),
        ("# title #", r"\# title \#"),
        ("a_b _c_", r"a_b \_c\_"),
        ("<b> &amp; `x`", r"\<b> &amp;amp; \`x\`"),
        (" a ", "&#32;a&#32;"),
        # GitHub parses bare addresses before escapes. These were checked with its own cmark-gfm.
        ("http://example.com/a*b", r"http\://example.com/a\*b"),
        ("https://example.com/?a&copy;", r"https\://example.com/?a&amp;copy;"),
        ("www.example.com ", r"www\.example.com&#32;"),
    ],
)
def test_markdown_escapes_only_what_it_must(text, quoted):
    assert markdown(text) == (quoted or text)
