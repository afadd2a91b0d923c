"""Checks of names and single-line texts, and defaults that pass these checks."""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import PurePath

    from jinja2 import Environment

try:
    from anyascii import anyascii
except ImportError:  # Optional: it improves the defaults for titles in other scripts.
    anyascii = None

FALLBACK_NAME = "my-service"
MAX_NAME = 40
MAX_PROJECT_NAME = 100
MAX_DESCRIPTION = 300
MAX_AUTHOR_NAME = 100
MAX_IMAGE_NAME = 255
MAX_AUTHOR_EMAIL = 254  # RFC 5321's limit for a path, without its brackets

# Distributions that a service depends on, including development tools, with the modules that each contains. A project
# of the same name would depend on itself, and a package of the same name would hide the module.
# The list is longer than a service's dependencies today: a name that was once accepted can't be refused later.
DEPENDENCIES = {
    "annotated-doc": ("annotated_doc",),
    "annotated-types": ("annotated_types",),
    "anyio": ("anyio",),
    "asgiref": ("asgiref",),
    "ast-serialize": ("ast_serialize",),
    "attrs": ("attr", "attrs"),
    "blinker": ("blinker",),
    "certifi": ("certifi",),
    "click": ("click",),
    "colorama": ("colorama",),
    "croniter": ("croniter",),
    "coverage": ("coverage",),
    "dj-database-url": ("dj_database_url",),
    "django": ("django",),
    "django-stubs": ("mypy_django_plugin",),
    "django-stubs-ext": ("django_stubs_ext",),
    "environ-config": ("environ",),
    "fastapi": ("fastapi",),
    "flask": ("flask",),
    "granian": ("granian",),
    "greenlet": ("greenlet",),
    "gunicorn": ("gunicorn",),
    "h11": ("h11",),
    "httpcore": ("httpcore",),
    "httpcore2": ("httpcore2",),
    "httptools": ("httptools",),
    "httpx": ("httpx",),
    "httpx2": ("httpx2",),
    "idna": ("idna",),
    "iniconfig": ("iniconfig",),
    "itsdangerous": ("itsdangerous",),
    "jinja2": ("jinja2",),
    "librt": ("librt",),
    "mako": ("mako",),
    "markupsafe": ("markupsafe",),
    "mypy": ("mypy", "mypyc"),
    "mypy-extensions": ("mypy_extensions",),
    "opentelemetry-api": ("opentelemetry",),
    "packaging": ("packaging",),
    "pathspec": ("pathspec",),
    "pip": ("pip",),
    "pastel": ("pastel",),
    "pluggy": ("pluggy",),
    "poethepoet": ("poethepoet",),
    "pydantic": ("pydantic",),
    "pydantic-core": ("pydantic_core",),
    "pygments": ("pygments",),
    "pytest": ("py", "pytest"),
    "pytest-cov": ("pytest_cov",),
    "pytest-django": ("pytest_django",),
    "python-dateutil": ("dateutil",),
    "python-dotenv": ("dotenv",),
    "python-on-whales": ("python_on_whales",),
    "psycopg-binary": ("psycopg_binary",),
    "psycopg-pool": ("psycopg_pool",),
    "pyuwsgi": ("pyuwsgi",),
    "pyyaml": ("yaml",),
    "ruff": ("ruff",),
    "setuptools": ("pkg_resources", "setuptools"),
    "sniffio": ("sniffio",),
    "sqlparse": ("sqlparse",),
    "squawk-cli": ("squawk",),
    "starlette": ("starlette",),
    "structlog": ("structlog",),
    "truststore": ("truststore",),
    "types-pyyaml": (),
    "typing-extensions": ("typing_extensions",),
    "typing-inspection": ("typing_inspection",),
    "tzdata": ("tzdata",),
    "uv": ("uv",),
    "uv-build": ("uv_build",),
    "uvicorn": ("uvicorn",),
    "uvloop": ("uvloop",),
    "uwsgi": ("uwsgi", "uwsgidecorators"),
    "watchfiles": ("watchfiles",),
    "websockets": ("websockets",),
    "werkzeug": ("werkzeug",),
    "wheel": ("wheel",),
    "whitenoise": ("whitenoise",),
}

# What YAML reads as a truth value or as nothing.
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
# Of 63 characters, for objects of Kubernetes: pods have suffixes of up to 17 characters, "-migrate" has 8.
MAX_OBJECT_NAME = 40


def _required_by_choices() -> dict[str, tuple[str, ...]]:
    """Return the distributions that stacks/ requires, each with the module of the same name."""
    found = {}
    for file in (Path(__file__).resolve().parent.parent / "stacks").glob("*/*/*.toml"):
        choice = tomllib.loads(file.read_text(encoding="utf-8"))
        uses = choice.get("frameworks", {}).values()
        added = [requirement for use in uses for requirement in use.get("requirements", ())]
        for requirement in (*choice.get("requirements", ()), *choice.get("dev_requirements", ()), *added):
            name = re.match(r"[\w-]+", requirement)[0].lower()
            found[name] = (name.replace("-", "_"),)
    return found


DEPENDENCIES = dict(sorted((_required_by_choices() | DEPENDENCIES).items()))
IMPORTED_NAMES = frozenset(module for modules in DEPENDENCIES.values() for module in modules)

# Of Python 3.11 to 3.15, independent of the running version: an answer has to be valid on every machine.
KEYWORDS = frozenset(keyword.kwlist + keyword.softkwlist) | {"lazy", "type"}
STDLIB_NAMES = (
    sys.stdlib_module_names
    | frozenset(sys.builtin_module_names)
    | frozenset(["annotationlib", "compression", "profiling", "sitecustomize", "usercustomize", "xxsubtype"])
    # Removed in 3.12
    | frozenset(["asynchat", "asyncore", "distutils", "imp", "smtpd"])
    # Removed in 3.13
    | frozenset(["aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis"])
    | frozenset(["nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"])
    # Removed in 3.15
    | frozenset(["sre_compile", "sre_constants", "sre_parse"])
)

# Names of a project's folders, some of which ignore files list, and of its test modules.
PROJECT_NAMES = frozenset(["build", "conftest", "container", "dist", "env", "htmlcov", "src", "test", "tests", "venv"])

# Windows can't check out a folder of such a name.
WINDOWS_NAMES = frozenset(["aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))])

# They change the order in which text is displayed, and linters refuse them in source code.
BIDIRECTIONAL_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Control characters, lone surrogates, line and paragraph separators
UNFIT_CATEGORIES = frozenset(["Cc", "Cs", "Zl", "Zp"])

# The same, format characters and spaces: text of these alone is invisible.
INVISIBLE_CATEGORIES = UNFIT_CATEGORIES | {"Cf", "Zs"}

_EMAIL_WORD = r"""[^\s<>,;:"()\[\]\\@.]+"""
_EMAIL = re.compile(rf"{_EMAIL_WORD}(?:\.{_EMAIL_WORD})*@{_EMAIL_WORD}(?:\.{_EMAIL_WORD})*")

# https://pkg.go.dev/github.com/distribution/reference has the grammar.
_WORDS = "[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*"
_REGISTRY = "[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_IMAGE_NAME = re.compile(f"(?:{_REGISTRY}/)?{_WORDS}(?:/{_WORDS})*")
_IMAGE = re.compile(f"{_IMAGE_NAME.pattern}(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@sha256:[0-9a-f]{{64}})?")


# The length that fits after Copier's "Validation error for question 'distribution_name': write " in a terminal of 80
# columns. A prompt shows only the first line of a message, so it has what to do, and the second line the reason.
MAX_SUGGESTION = 22


def distribution_name(title: object, maximum: int = MAX_NAME) -> str:
    """Return a valid distribution name for any title."""
    name = _shortened(_slug(title), "-", maximum) or FALLBACK_NAME
    return f"{name}-app" if _distribution_reserved_because(name) else name


def package_name(title: object, maximum: int = MAX_NAME) -> str:
    """Return a valid import package for any title or distribution name."""
    name = (_slug(title) or FALLBACK_NAME).replace("-", "_")
    if name[0].isdigit():
        name = f"app_{name}"
    name = _shortened(name, "_", maximum)
    return f"{name}_app" if _package_reserved_because(name) else name


def object_name(name: str) -> str:
    """Return a name for objects of Kubernetes: a DNS label that begins with a letter, with room for suffixes.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
    """
    if not name[0].isalpha() or name in YAML_WORDS:
        name = f"app-{name}"
    return _shortened(name, "-", MAX_OBJECT_NAME)


def check_project_name(value: object) -> str:
    """Return what is wrong with a title, or an empty string."""
    if isinstance(value, str) and all(unicodedata.category(char) in INVISIBLE_CATEGORIES for char in value):
        return f"write a title, such as My Service\n{_shown(value)} is blank."
    return check_line(value, MAX_PROJECT_NAME)


def check_distribution_name(value: object) -> str:
    """Return what is wrong with a distribution name, or an empty string."""
    if not isinstance(value, str):
        return _not_text(value)
    if len(value) > MAX_NAME:
        return _too_long(value, MAX_NAME)
    if not re.fullmatch("[a-z0-9]+(?:-[a-z0-9]+)*", value):
        reason = "isn't lower-case words joined by dashes"
    else:
        reason = _distribution_reserved_because(value)
    return f"write {distribution_name(value, MAX_SUGGESTION)}\n{_shown(value)} {reason}." if reason else ""


def check_package_name(value: object) -> str:
    """Return what is wrong with the name of an import package, or an empty string."""
    if not isinstance(value, str):
        return _not_text(value)
    if len(value) > MAX_NAME:
        return _too_long(value, MAX_NAME)
    if not re.fullmatch("[a-z][a-z0-9_]*", value):
        reason = (
            "isn't lower-case words joined by underscores" if value[:1].isalpha() else "doesn't begin with a letter"
        )
    else:
        reason = _package_reserved_because(value)
    return f"write {package_name(value, MAX_SUGGESTION)}\n{_shown(value)} {reason}." if reason else ""


def check_renaming(name: object, answers_file: PurePath) -> str:
    """Return why an update can't rename the package, or an empty string; *answers_file* may not exist yet."""
    file = Path(answers_file)
    old = file.is_file() and re.search(r"^package_name: (\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    if not old or name == old[1]:
        return ""
    return f"move the package by hand\nCommit that and package_name in {file.name}, then update."


def check_description(value: object) -> str:
    """Return what is wrong with a description, or an empty string; a description may be empty."""
    return check_line(value, MAX_DESCRIPTION)


def check_author_name(value: object) -> str:
    """Return what is wrong with an author's name, or an empty string; a name may be empty."""
    return check_line(value, MAX_AUTHOR_NAME)


def check_author_email(value: object) -> str:
    """Return what is wrong with a mail address, or an empty string; an address may be empty."""
    if message := check_line(value, MAX_AUTHOR_EMAIL):
        return message
    address = str(value)
    if address and not (_EMAIL.fullmatch(address) and address.isprintable()):
        return f"write one such as jo@example.com\n{_shown(address)} isn't one; it may also stay empty."
    return ""


def check_image_name(value: object) -> str:
    """Return what is wrong with an image's name, or an empty string; it may begin with a registry, but has no tag."""
    if not isinstance(value, str):
        return _not_text(value)
    if len(value) > MAX_IMAGE_NAME:
        return _too_long(value, MAX_IMAGE_NAME)
    if not _IMAGE_NAME.fullmatch(value):
        return f"write one such as team/my-service\n{_shown(value)} isn't a lower-case name without a tag."
    return ""


def check_dockerfile_syntax(value: object) -> str:
    """Return what is wrong with the image of the Dockerfile's frontend, or an empty string; it may be empty."""
    if not isinstance(value, str):
        return _not_text(value)
    if value and not _IMAGE.fullmatch(value):
        return f"write docker/dockerfile:1\n{_shown(value)} isn't an image; it may also stay empty."
    return ""


def check_base_image(value: object) -> str:
    """Return what is wrong with a base image, or an empty string."""
    if not isinstance(value, str):
        return _not_text(value)
    if not _IMAGE.fullmatch(value) or not re.search("[:@][^/]*$", value):
        return f"write one such as debian:13.2\n{_shown(value)} isn't an image with a tag."
    return ""


def check_build_image(value: object) -> str:
    """Return what is wrong with an image that services are built in, or an empty string; it may be empty."""
    return "" if value == "" else check_base_image(value)


def check_line(value: object, maximum: int) -> str:
    """Return why a value isn't a single line of text of at most *maximum* characters, or an empty string."""
    if not isinstance(value, str):
        return _not_text(value)
    for char in value:
        if char in BIDIRECTIONAL_CONTROLS or unicodedata.category(char) in UNFIT_CATEGORIES:
            return f"leave out the character U+{ord(char):04X}\n{_shown(value)} isn't a single line of plain text."
    if len(value) > maximum:
        return _too_long(value, maximum)
    return ""


CHECKS: dict[str, Callable[[object], str]] = {
    "project_name": check_project_name,
    "distribution_name": check_distribution_name,
    "package_name": check_package_name,
    "description": check_description,
    "author_name": check_author_name,
    "author_email": check_author_email,
    "base_image": check_base_image,
    "build_image": check_build_image,
    "image_name": check_image_name,
    "dockerfile_syntax": check_dockerfile_syntax,
}


def suitable(value: object, question: str) -> str:
    """Return the value if the question's check accepts it, else an empty string: for defaults from users' settings."""
    return "" if CHECKS[question](value) else str(value)


def _slug(title: object) -> str:
    """Return lower-case ASCII words joined by dashes, or an empty string if no letter or digit is left."""
    text = re.sub("['\N{RIGHT SINGLE QUOTATION MARK}]", "", title) if isinstance(title, str) else ""
    return re.sub("[^a-z0-9]+", "-", _ascii(text).lower()).strip("-")


def _ascii(text: str) -> str:
    if anyascii:
        return anyascii(text)
    words = re.sub(r"\W+", "-", unicodedata.normalize("NFKC", text))
    # Decompose accented letters into a plain letter and marks, and drop the marks.
    return unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode("ascii")


def _shortened(name: str, separator: str, maximum: int) -> str:
    """Return the whole words that fit into *maximum* characters, or the beginning of the first if it is longer."""
    if len(name) <= maximum:
        return name
    whole_words = name[: maximum + 1].rpartition(separator)[0]
    return whole_words or name[:maximum]


def _distribution_reserved_because(name: str) -> str:
    """Return why a distribution can't have this name, or an empty string."""
    if name in DEPENDENCIES:
        return "is a dependency of the service"
    # By default, the image has the distribution's name.
    if name == "scratch":
        return "is a name that Docker reserves"
    return ""


def _package_reserved_because(name: str) -> str:
    """Return why a package can't have this name, or an empty string."""
    if name in KEYWORDS:
        return "is a Python keyword"
    if name in STDLIB_NAMES:
        return "is a module of the standard library"
    if name in IMPORTED_NAMES:
        return "is a module of a dependency"
    if name in PROJECT_NAMES:
        return "is reserved for a folder or module of the project"
    if name in WINDOWS_NAMES:
        return "is a name that Windows reserves"
    return ""


def _not_text(value: object) -> str:
    return f"write a text\n{_shown(value)} is not a text."


def _too_long(value: str, maximum: int) -> str:
    return f"use at most {maximum} characters\n{_shown(value)} is longer."


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
        environment.filters["distribution_name"] = distribution_name
        environment.filters["package_name"] = package_name
        environment.filters["object_name"] = object_name
        environment.filters["suitable"] = suitable
        environment.filters["check_line"] = check_line
        environment.filters["check_renaming"] = check_renaming
        for question, check in CHECKS.items():
            environment.filters[f"check_{question}"] = check
