"""Defaults pass their own checks, and refusals state what is wrong and what to do."""

import re
import sys
from itertools import chain

import names
import pytest
from hostile import EMAILS, NAMES_REFUSED, REFUSED, TEXTS, TITLES

LINES = ["project_name", "description", "author_name", "author_email"]
# Copier checks the title first, but computes defaults from any value.
NO_TITLES = ["", " ", "a" * 300, "1" * 300, "a-" * 300, "word " * 60, "\ud800", "a\nb", "\u202ex", None, 7]
DIGEST = f"@sha256:{'a1' * 32}"
ACCEPTED = {
    "distribution_name": ["a", "9", "2048", "my-service", "a1-2b", "json", "a" * 40],
    "package_name": ["a", "a1", "my__service", "app_2", "classes", "django_app", "settings", "a" * 40],
    "author_email": ["", *EMAILS, "a" * 249 + "@b.cd"],
    "image_name": ["a/b", "registry.example.com/team/my-service", "localhost:5000/a__b.c--d", "REGISTRY.example/a"],
    "base_image": ["debian:13.2-slim", "registry.example.com:5000/team/debian:13", f"a{DIGEST}", f"a:Trixie_1{DIGEST}"],
    "build_image": ["", "team/build:1"],
    "dockerfile_syntax": ["", "docker/dockerfile", "mirror.example:5000/d:1.9-labs", f"docker/dockerfile:1{DIGEST}"],
}


@pytest.mark.parametrize("title", [*TITLES, *NO_TITLES, *TEXTS.values(), *sorted(names.DEPENDENCIES)], ids=repr)
def test_default_names_for_any_title_are_accepted(title):
    distribution = names.distribution_name(title)

    assert names.check_distribution_name(distribution) == ""
    assert names.check_package_name(names.package_name(distribution)) == ""
    assert names.check_package_name(names.package_name(title)) == ""


@pytest.mark.parametrize(
    ("title", "distribution", "package"),
    [
        ("My_Service__v2", "my-service-v2", "my_service_v2"),
        ("Bob's API", "bobs-api", "bobs_api"),
        ("Bob\u2019s API", "bobs-api", "bobs_api"),
        ("Ünïcödé Café", "unicode-cafe", "unicode_cafe"),
        ("e\u0301te\u0301", "ete", "ete"),
        ("Straße", "strasse", "strasse"),
        ("Plan\u2014Do", "plan-do", "plan_do"),
        ("2 Fast", "2-fast", "app_2_fast"),
        ("Flask", "flask-app", "flask_app"),
        ("Scratch", "scratch-app", "scratch_app"),
        ("Json", "json", "json_app"),
        ("C++", "c", "c"),
        ("Служба", "my-service", "my_service"),
        ("", "my-service", "my_service"),
        ("a" * 35 + " bcde fg", "a" * 35 + "-bcde", "a" * 35 + "_bcde"),
        ("a" * 35 + " bcdef", "a" * 35, "a" * 35),
        ("a" * 41, "a" * 40, "a" * 40),
    ],
)
def test_default_names_are_derived_from_the_title(title, distribution, package):
    assert names.distribution_name(title) == distribution
    assert names.package_name(distribution) == package


@pytest.mark.parametrize(("question", "value"), [(name, value) for name in ACCEPTED for value in ACCEPTED[name]])
def test_valid_answer_is_accepted(question, value):
    assert names.CHECKS[question](value) == ""
    if question == "distribution_name":
        assert names.distribution_name(value) == value


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_line_of_text_is_accepted(text):
    assert [names.CHECKS[question](text) for question in LINES[:3]] == ["", "", ""]


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_text_that_is_not_a_single_line_is_refused(text):
    assert all(names.CHECKS[question](text) for question in names.CHECKS)


@pytest.mark.parametrize(
    ("question", "value"), [(name, value) for name in NAMES_REFUSED for value in NAMES_REFUSED[name]]
)
def test_invalid_answer_is_refused_with_a_suggestion_that_is_accepted(question, value):
    message = names.CHECKS[question](value)

    found = re.match(r"write (one such as )?(.*)\n|(use at most \d+ characters|leave out character)", message)
    assert found, message
    if found[2] and question != "project_name":
        assert names.CHECKS[question](found[2]) == ""


@pytest.mark.parametrize(
    ("question", "value", "message"),
    [
        ("package_name", "class", 'write class_app\n"class" is a Python keyword.'),
        ("package_name", "json", 'write json_app\n"json" is a module of the standard library.'),
        ("package_name", "manage", 'write manage_app\n"manage" is reserved for a folder or module of the project.'),
        ("package_name", "my-app_2.0", 'write my_app_2_0\n"my-app_2.0" isn\'t lower-case words with underscores.'),
        ("package_name", "2fast", 'write app_2fast\n"2fast" doesn\'t begin with a letter.'),
        ("distribution_name", "My_App", 'write my-app\n"My_App" isn\'t lower-case words with dashes.'),
        ("description", "a\u202eb", 'leave out character U+202E\n"a\\u202eb" isn\'t a single line of plain text.'),
        ("description", "a" * 999, f'use at most 300 characters\n"{"a" * 20}…" (999 characters) is longer.'),
        ("base_image", "debian", 'write one such as debian:13.2\n"debian" isn\'t an image with a tag.'),
        ("author_name", ["x"], "write a text\n['x'] is not a text."),
    ],
)
def test_message_says_what_to_do_and_then_what_is_wrong(question, value, message):
    assert names.CHECKS[question](value) == message


def fits(question: str, message: str) -> bool:
    """Return whether a message fits into a terminal; a prompt leaves the last column empty, and has one line."""
    lines = f"Validation error for question '{question}': {message}".splitlines()
    return len(lines[0]) < 80 and len(lines) <= 2 and all(line.isprintable() and len(line) <= 80 for line in lines)


@pytest.mark.parametrize("question", names.CHECKS)
def test_any_message_fits_a_terminal(question, tmp_path):
    reserved = [*names.RESERVED_PACKAGES.values(), *names.RESERVED_DISTRIBUTIONS.values()]
    values = [*REFUSED.values(), *NO_TITLES, *chain(*NAMES_REFUSED.values(), *reserved)]
    values += ["ab" * 20 + " Cd", "Aa-" * 100, "\U0010ffff" * 50, True, {"a": 1}, ["a" * 1000]]
    messages = {message for value in values if (message := names.CHECKS[question](value))}
    (tmp_path / ".copier-answers.yml").write_text(f"package_name: {'b' * 40}\n", encoding="utf-8")
    messages.add(names.check_renaming("a" * 40, tmp_path / ".copier-answers.yml"))

    assert len(messages) > 3
    assert [message for message in messages if not fits(question, message)] == []


def test_reserved_modules_do_not_depend_on_the_running_python():
    of_others = {"annotationlib", "compression", "profiling", "asynchat", "distutils", "cgi", "xdrlib", "sre_parse"}
    for name in of_others | sys.stdlib_module_names | set(sys.builtin_module_names):
        assert names.check_package_name(name), name
    for name in ("async", "match", "type", "lazy"):
        assert "keyword" in names.check_package_name(name)


def test_suitable_keeps_what_its_check_accepts():
    assert names.suitable("Zoë", "author_name") == "Zoë"
    assert [names.suitable(value, "author_email") for value in ("nobody", "a\nb", None)] == ["", "", ""]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my-service", "my-service"),
        ("1984", "app-1984"),
        ("no", "app-no"),
        ("1-" + "a" * 20 + "-" + "b" * 17, "app-1-" + "a" * 20),
    ],
)
def test_objects_of_kubernetes_have_valid_names(name, expected):
    assert names.object_name(name) == expected
