"""The parser of each file format reads a quoted text as exactly the same text."""

import ast
import subprocess
import sys
import tomllib

import pytest
import quoting
import yaml
from hostile import REFUSED, TEXTS
from jinja2 import Environment
from markdown_it import MarkdownIt

# Questions refuse these, but quoting doesn't depend on that.
CONTROLS = {name: text for name, text in REFUSED.items() if len(text) < 100 and name != "lone surrogate"}
ALL = {**TEXTS, **CONTROLS}

every_text = pytest.mark.parametrize("text", ALL.values(), ids=ALL)


# --- TOML


@every_text
def test_toml_reads_back(text):
    quoted = quoting.toml(text)

    assert tomllib.loads(f"key = {quoted}") == {"key": text}
    assert "\n" not in quoted


def test_toml_leaves_ordinary_text_unescaped():
    assert quoting.toml("It's Ünïcödé 🚀") == '"It\'s Ünïcödé 🚀"'


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ({"name": 'Jo "J"', "email": "jo@example.com"}, r'{ name = "Jo \"J\"", email = "jo@example.com" }'),
        ({"a b": True, "c.d": 1, "": "x"}, '{ "a b" = true, "c.d" = 1, "" = "x" }'),
        (["a", "b"], '["a", "b"]'),
        (("flask>=3.1.3",), '["flask>=3.1.3"]'),
        ([{"name": "Jo"}, []], '[{ name = "Jo" }, []]'),
        ([], "[]"),
        ({}, "{}"),
        (False, "false"),
    ],
)
def test_toml_writes_arrays_and_inline_tables(value, quoted):
    assert quoting.toml(value) == quoted
    read = tomllib.loads(f"key = {quoted}")["key"]
    assert read == (list(value) if isinstance(value, tuple) else value)


# --- YAML


@every_text
def test_yaml_reads_back(text):
    quoted = quoting.yaml(text)

    assert yaml.safe_load(f"key: {quoted}\nnext: 1\n") == {"key": text, "next": 1}
    assert yaml.safe_load(f"[{quoted}, {quoted}]") == [text, text]
    assert "\n" not in quoted


def test_yaml_stays_on_one_line_and_readable():
    assert quoting.yaml("wörd " * 60) == '"' + "wörd " * 60 + '"'


# --- Dockerfile


# In LABEL and ENV, `docker inspect` returned these texts unchanged. Tests of images check that with an engine.
@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("It's Ünïcödé 🚀", '"It\'s Ünïcödé 🚀"'),
        ('say "hi"', r'"say \"hi\""'),
        ("C:\\dir\\", r'"C:\\dir\\"'),
        ('a\\"b', r'"a\\\"b"'),
        ("$HOME ${HOME} $(id)", r'"\$HOME \${HOME} \$(id)"'),
        ("\\$x", r'"\\\$x"'),
        ("# no comment", '"# no comment"'),
        ("<<EOF", '"<<EOF"'),
        (" a  b ", '" a  b "'),
        ("a\tb\rc", '"a\tb\rc"'),
        ("`id` %s {{ x }}", '"`id` %s {{ x }}"'),
    ],
)
def test_dockerfile_escapes_special_characters(text, quoted):
    assert quoting.dockerfile(text) == quoted


@pytest.mark.parametrize("text", ["a\nb", "a\\\nb", "a\n", "a\r\nb"])
def test_dockerfile_refuses_newlines(text):
    with pytest.raises(ValueError, match="doesn't fit into a Dockerfile's value"):
        quoting.dockerfile(text)


# --- Markdown

COMMONMARK = MarkdownIt("commonmark")
GITHUB = MarkdownIt("gfm-like", {"linkify": False})
MARKDOWN = {name: text for name, text in ALL.items() if not quoting._MARKDOWN_UNFIT.search(text)}


def rendered(reader, source, *containers):
    """Return the text of a document that is one paragraph or heading of plain text in these containers."""
    tokens = reader.parse(source)
    assert [token.tag for token in tokens if token.nesting == 1] == list(containers)
    (inline,) = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in inline.children} <= {"text", "text_special", "softbreak"}
    return "".join("\n" if child.type == "softbreak" else child.content for child in inline.children)


@pytest.mark.parametrize("reader", [COMMONMARK, GITHUB], ids=["commonmark", "github"])
@pytest.mark.parametrize("text", MARKDOWN.values(), ids=MARKDOWN)
def test_markdown_renders_as_the_text(text, reader):
    quoted = quoting.markdown(text)

    assert rendered(reader, f"{quoted}\n", "p") == text
    assert rendered(reader, f"# {quoted}\n", "h1") == text
    assert rendered(reader, f"# About {quoted}\n", "h1") == f"About {text}"
    assert rendered(reader, f"- {quoted}\n", "ul", "li", "p") == text
    assert rendered(reader, f"Of it: {quoted}.\n", "p") == f"Of it: {text}."
    assert rendered(reader, f"Before\n{quoted}\nafter\n", "p") == f"Before\n{text}\nafter"
    assert "\n" not in quoted


def test_markdown_does_not_affect_surrounding_text():
    source = f"[{quoting.markdown('a] [b')}](c) *{quoting.markdown('d* e')}* `f`"
    assert COMMONMARK.renderInline(source) == '<a href="c">a] [b</a> <em>d* e</em> <code>f</code>'


def test_markdown_fits_into_a_cell_of_a_table():
    html = GITHUB.render(f"| a | b |\n| - | - |\n| {quoting.markdown('c | d')} | e |\n")
    assert "<td>c | d</td>\n<td>e</td>" in html


@pytest.mark.parametrize(
    "text",
    [
        """It's a "service" (v1.2), ok - really!""",
        "AT&T & co; 100% of $5, a/b: c = d",
        "C# and snake_case in 2026.",
        "3.14 or so?",
        "https://example.com/a_b?c=1&d=2#e",
        "Ünïcödé 🚀 日本",
    ],
)
def test_markdown_leaves_ordinary_sentences_untouched(text):
    assert quoting.markdown(text) == text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("1. list", r"1\. list"),
        ("- item", r"\- item"),
        ("# title #", r"\# title \#"),
        (":--", r"\:--"),
        ("a_b _c_", r"a_b \_c\_"),
        ("<b> &amp; `x`", r"\<b> &amp;amp; \`x\`"),
        (" a ", "&#32;a&#32;"),
        ("a\nb", "a&#10;b"),
    ],
)
def test_markdown_escapes_special_characters(text, quoted):
    assert quoting.markdown(text) == quoted


# GitHub parses bare addresses before escapes. These were checked with its own cmark-gfm.
@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("http://example.com/a*b", r"http\://example.com/a\*b"),
        ("https://example.com/?a&copy;", r"https\://example.com/?a&amp;copy;"),
        ("www.example.com ", r"www\.example.com&#32;"),
        ("www.example.com/\u00a0*", "www\\.example.com/\u00a0\\*"),
    ],
)
def test_markdown_prevents_autolinks_that_would_show_escapes(text, quoted):
    assert quoting.markdown(text) == quoted


@pytest.mark.parametrize("text", ["\0", "a\x1bb", "\x0b", "a\x7f", "\x85a"])
def test_markdown_refuses_control_characters(text):
    with pytest.raises(ValueError, match="doesn't fit into Markdown"):
        quoting.markdown(text)


# --- Python


@every_text
def test_python_reads_back(text):
    quoted = quoting.python(text)

    assert ast.literal_eval(quoted) == text
    assert all(char.isprintable() or char in "\ue000\uffff" for char in quoted)


def test_python_is_unchanged_by_ruff_format():
    source = "".join(f"x = {quoting.python(text)}\n" for text in ALL.values())
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--stdin-filename=x.py", "-"],
        input=source,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        check=True,
    )
    assert formatted.stdout.splitlines() == source.splitlines()


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("It's", '"It\'s"'),
        ('say "hi"', "'say \"hi\"'"),
        ("""'"'""", '''"'\\"'"'''),
        ("Ünïcödé 🚀", '"Ünïcödé 🚀"'),
        ("a\u00a0b\u200b\n", r'"a\xa0b\u200b\n"'),
        ("\ud800", r'"\ud800"'),
    ],
)
def test_python_prefers_double_quotes_and_escapes_the_invisible(text, quoted):
    assert quoting.python(text) == quoted


# --- Shell


@every_text
def test_shell_reads_back(text):
    if "\0" in text:
        with pytest.raises(ValueError, match="doesn't fit into a shell's word"):
            quoting.shell(text)
        return
    script = f"printf '<%s>' {quoting.shell(text)}"
    printed = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True)
    assert printed.stdout == f"<{text}>".encode()


def test_shell_keeps_an_empty_word():
    assert quoting.shell("") == "''"


# --- All of them

FILTERS = ["toml", "yaml", "dockerfile", "markdown", "python", "shell"]


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "python"])
def test_error_shows_text_that_utf_8_cannot_encode(name):
    with pytest.raises(ValueError, match=r"'a\\ud800b' doesn't fit into a file"):
        getattr(quoting, name)("a\ud800b")


@pytest.mark.parametrize("name", FILTERS)
def test_error_shows_a_value_that_is_not_text(name):
    with pytest.raises(TypeError, match="only a text can be quoted, not None"):
        getattr(quoting, name)(None)


@pytest.mark.parametrize("name", FILTERS)
def test_filter_is_available_in_templates(name):
    environment = Environment(extensions=[quoting.QuotingExtension], autoescape=False)
    assert environment.from_string(f"{{{{ text | {name} }}}}").render(text="a b").strip("'\"") == "a b"
