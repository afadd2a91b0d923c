"""Checks of names and single-line texts, and defaults that pass these checks."""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
import unicodedata
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from pathlib import PurePath

    from jinja2 import Environment

TEMPLATE = Path(__file__).resolve().parent.parent
FALLBACK_NAME = "my-service"
MAX_NAME = 40
# A prompt shows only a message's first line, so that has what to do, and the second line the reason. This many
# characters fit after "Validation error for question 'distribution_name': write " into 80 columns.
MAX_SUGGESTION = 22


def _required(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the distributions that a choice.toml requires."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _required(value)
        elif key.endswith("requirements"):
            yield from (re.match(r"[\w-]+", requirement)[0].lower() for requirement in value)


# Distributions that a service depends on. A project of the same name would depend on itself. They are those that stacks/
# requires, what these need in turn or import where they find it, and development tools with what they need.
DEPENDENCIES = {
    name
    for file in (TEMPLATE / "stacks").glob("*/*/choice.toml")
    for name in _required(tomllib.loads(file.read_text(encoding="utf-8")))
} | set(
    """
    annotated-doc annotated-types anyio asgiref blinker certifi click croniter django-stubs-ext greenlet h11 httpcore
    httpcore2 httptools httpx httpx2-jsfetch idna itsdangerous jinja2 mako markupsafe opentelemetry-api psycopg-binary
    psycopg-pool pydantic pydantic-core python-dateutil python-dotenv sniffio sqlparse starlette truststore
    types-pyyaml typing-extensions typing-inspection tzdata uwsgi watchfiles websockets werkzeug wsproto
    ast-serialize colorama coverage iniconfig librt mypy mypy-extensions packaging pastel pathspec pip pluggy
    poethepoet pygments pytest pytest-cov pyyaml ruff setuptools uv uv-build wheel
    """.split()  # noqa: SIM905
)
# A package of the same name as one of their modules would hide it.
IMPORTED_NAMES = {name.replace("-", "_") for name in DEPENDENCIES} | {
    *("attr", "dateutil", "dotenv", "environ", "mypy_django_plugin", "mypyc", "opentelemetry", "pkg_resources", "py"),
    *("uwsgidecorators", "yaml"),
}
KEYWORDS = {*keyword.kwlist, *keyword.softkwlist, "lazy", "type"}
# Of Python 3.11 to 3.15, whichever runs: an answer has to be valid on every machine.
STDLIB_NAMES = sys.stdlib_module_names | set(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr imp lib2to3 mailcap
    msilib nis nntplib ossaudiodev pipes profiling sitecustomize smtpd sndhdr spwd sre_compile sre_constants sre_parse
    sunau telnetlib usercustomize uu xdrlib xxsubtype
    """.split()  # noqa: SIM905
)
# Folders of a project, some of which tools ignore, and modules beside its package: manage.py, and those in tests/.
PROJECT_NAMES = {"build", "container", "dist", "env", "htmlcov", "manage", "src", "test", "tests", "venv"} | {
    file.name.partition(".")[0]
    for folder in ("stacks", "template")
    for file in (TEMPLATE / folder).glob("**/tests/*.py*")
    if not (file.parent / "__init__.py").exists()
}
# Windows can't check out a folder of such a name.
WINDOWS_NAMES = {"aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}

# Why a name is refused. By default, the image has the distribution's name.
RESERVED_DISTRIBUTIONS = {
    "is a dependency of the service": DEPENDENCIES,
    "is a name that Docker reserves": {"scratch"},
}
RESERVED_PACKAGES = {
    "is a Python keyword": KEYWORDS,
    "is a module of the standard library": STDLIB_NAMES,
    "is a module of a dependency": IMPORTED_NAMES,
    "is reserved for a folder or module of the project": PROJECT_NAMES,
    "is a name that Windows reserves": WINDOWS_NAMES,
}

# What YAML reads as a truth value or as nothing.
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
# They change the order in which text is displayed, and linters refuse them in source code.
BIDIRECTIONAL_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Control characters, lone surrogates, line and paragraph separators.
UNFIT_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# Text of these alone is invisible: the same, format characters and spaces.
INVISIBLE_CATEGORIES = UNFIT_CATEGORIES | {"Cf", "Zs"}

_WORD = r"""[^\s<>,;:"()\[\]\\@.]+"""
_EMAIL = rf"{_WORD}(?:\.{_WORD})*@{_WORD}(?:\.{_WORD})*"
# https://pkg.go.dev/github.com/distribution/reference has the grammar.
_NAMES = "[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*"
_REGISTRY = "[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_IMAGE = f"(?:{_REGISTRY}/)?{_NAMES}(?:/{_NAMES})*"
_VERSION = "(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@sha256:[0-9a-f]{64})?"
_TAGGED_IMAGE = f"{_IMAGE}(?=[:@]){_VERSION}"


def distribution_name(title: object, maximum: int = MAX_NAME) -> str:
    """Return a valid distribution name for any title."""
    name = _shortened(_slug(title), "-", maximum) or FALLBACK_NAME
    return f"{name}-app" if _reason(name, RESERVED_DISTRIBUTIONS) else name


def package_name(title: object, maximum: int = MAX_NAME) -> str:
    """Return a valid import package for any title or distribution name."""
    name = (_slug(title) or FALLBACK_NAME).replace("-", "_")
    name = _shortened(f"app_{name}" if name[0].isdigit() else name, "_", maximum)
    while _reason(name, RESERVED_PACKAGES):
        name += "_app"
    return name


def object_name(name: str) -> str:
    """Return a name for objects of Kubernetes: a DNS label that begins with a letter.

    Of its 63 characters, the suffixes of pods take up to 25.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
    """
    return name if name[0].isalpha() and name not in YAML_WORDS else _shortened(f"app-{name}", "-", MAX_NAME)


def check_project_name(value: object) -> str:
    """Return what is wrong with a title, or an empty string."""
    if isinstance(value, str) and all(unicodedata.category(char) in INVISIBLE_CATEGORIES for char in value):
        return f"write a title, such as My Service\n{_shown(value)} is blank."
    return _check_line(value, 100)


def check_distribution_name(value: object) -> str:
    """Return what is wrong with a distribution name, or an empty string."""
    if message := _check_length(value, MAX_NAME):
        return message
    reason = _reason(value, RESERVED_DISTRIBUTIONS)
    if not re.fullmatch("[a-z0-9]+(?:-[a-z0-9]+)*", value):
        reason = "isn't lower-case words with dashes"
    return f"write {distribution_name(value, MAX_SUGGESTION)}\n{_shown(value)} {reason}." if reason else ""


def check_package_name(value: object) -> str:
    """Return what is wrong with the name of an import package, or an empty string."""
    if message := _check_length(value, MAX_NAME):
        return message
    reason = _reason(value, RESERVED_PACKAGES)
    if not value[:1].isalpha():
        reason = "doesn't begin with a letter"
    elif not re.fullmatch("[a-z][a-z0-9_]*", value):
        reason = "isn't lower-case words with underscores"
    return f"write {package_name(value, MAX_SUGGESTION)}\n{_shown(value)} {reason}." if reason else ""


def check_renaming(name: object, answers_file: PurePath) -> str:
    """Return why an update can't rename the package, or an empty string; *answers_file* may not exist yet."""
    file = Path(answers_file)
    old = file.is_file() and re.search(r"^package_name: (\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    if not old or name == old[1]:
        return ""
    return f"move the package by hand\nCommit that and package_name in {file.name}, then update."


def _check_line(value: object, maximum: int) -> str:
    """Return why a value isn't a single line of text of at most *maximum* characters, or an empty string."""
    for char in value if isinstance(value, str) else "":
        if char in BIDIRECTIONAL_CONTROLS or unicodedata.category(char) in UNFIT_CATEGORIES:
            return f"leave out character U+{ord(char):04X}\n{_shown(value)} isn't a single line of plain text."
    return _check_length(value, maximum)


def _check_of(pattern: str, example: str, fault: str) -> Callable[[object], str]:
    """Return a check that a text matches a pattern."""

    def check(value: object) -> str:
        # RFC 5321's limit for an address, which is less than those for images.
        if message := _check_line(value, 254):
            return message
        return "" if re.fullmatch(pattern, value) else f"write {example}\n{_shown(value)} {fault}."

    return check


# By question.
CHECKS: dict[str, Callable[[object], str]] = {
    "project_name": check_project_name,
    "distribution_name": check_distribution_name,
    "package_name": check_package_name,
    "description": partial(_check_line, maximum=300),
    "author_name": partial(_check_line, maximum=100),
    "author_email": _check_of(f"({_EMAIL})?", "one such as jo@example.com", "isn't one, or empty"),
    "image_name": _check_of(_IMAGE, "one such as team/my-service", "isn't a lower-case name without a tag"),
    "base_image": _check_of(_TAGGED_IMAGE, "one such as debian:13.2", "isn't an image with a tag"),
    "build_image": _check_of(f"({_TAGGED_IMAGE})?", "one such as team/build:1", "isn't an image with a tag, or empty"),
    "dockerfile_syntax": _check_of(f"({_IMAGE}{_VERSION})?", "docker/dockerfile:1", "isn't an image, or empty"),
}


def suitable(value: object, question: str) -> str:
    """Return the value if the question's check accepts it, else an empty string: for defaults from users' settings."""
    return "" if CHECKS[question](value) else str(value)


def _slug(title: object) -> str:
    """Return lower-case ASCII words joined by dashes, or an empty string if no letter or digit is left."""
    text = re.sub("['\N{RIGHT SINGLE QUOTATION MARK}]", "", title) if isinstance(title, str) else ""
    # Letters with accents are decomposed, and the accents dropped; what is no letter separates words.
    words = re.sub(r"\W+", "-", unicodedata.normalize("NFC", text)).casefold()
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode("ascii")
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")


def _shortened(name: str, separator: str, maximum: int) -> str:
    """Return the whole words that fit into *maximum* characters, or the beginning of the first if it is longer."""
    if len(name) <= maximum:
        return name
    return name[: maximum + 1].rpartition(separator)[0] or name[:maximum]


def _reason(name: str, reserved: Mapping[str, Container[str]]) -> str:
    """Return the first reason for which a name is reserved, or an empty string."""
    return next((reason for reason, names in reserved.items() if name in names), "")


def _check_length(value: object, maximum: int) -> str:
    if not isinstance(value, str):
        return f"write a text\n{_shown(value)} is not a text."
    return f"use at most {maximum} characters\n{_shown(value)} is longer." if len(value) > maximum else ""


def _shown(value: object, maximum: int = 20) -> str:
    """Return a value for a message: unprintable characters escaped, and cut to *maximum* characters."""
    text = value if isinstance(value, str) else repr(value)
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:maximum]
    )
    if len(shown) > maximum or len(text) > maximum:
        return f'"{shown[:maximum]}…" ({len(text)} characters)'
    return f'"{shown}"' if isinstance(value, str) else shown


class NamesExtension(Extension):
    """Filters for the questions' defaults and validators."""

    def __init__(self, environment: Environment) -> None:
        """Register the filters."""
        super().__init__(environment)
        environment.filters.update({f"check_{question}": check for question, check in CHECKS.items()})
        for function in (distribution_name, package_name, object_name, suitable, check_renaming):
            environment.filters[function.__name__] = function
