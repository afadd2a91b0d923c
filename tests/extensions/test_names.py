"""Defaults pass their own checks, and refusals state what is wrong and what to do."""

import re
import sys

import names
import pytest
from hostile import EMAILS, NAMES_REFUSED, REFUSED, TEXTS, TITLES
from jinja2 import Environment

# Copier checks the title first, but computes defaults from any value.
NO_TITLES = ["", " ", "a" * 300, "1" * 300, "a-" * 300, "word " * 60, "\ud800", "a\nb", "a\0b", "\u202ex", None, 7]

LINE_CHECKS = [names.check_project_name, names.check_description, names.check_author_name, names.check_author_email]


@pytest.fixture(params=["with anyascii", "without anyascii"])
def transliteration(request, monkeypatch):
    if request.param == "without anyascii":
        monkeypatch.setattr(names, "anyascii", None)
    else:
        pytest.importorskip("anyascii")


def refusals(*questions):
    return [(names.CHECKS[question], name) for question in questions for name in NAMES_REFUSED[question]]


# --- Defaults


@pytest.mark.usefixtures("transliteration")
@pytest.mark.parametrize("title", [*TITLES, *NO_TITLES, *TEXTS.values()])
def test_default_names_for_any_title_are_accepted(title):
    distribution = names.distribution_name(title)

    assert names.check_distribution_name(distribution) == ""
    assert names.check_package_name(names.package_name(distribution)) == ""
    assert names.check_package_name(names.package_name(title)) == ""


@pytest.mark.parametrize("name", sorted(names.DEPENDENCIES))
def test_default_for_a_dependencys_name_is_accepted(name):
    assert names.distribution_name(name) == f"{name}-app"
    assert names.check_distribution_name(names.distribution_name(name)) == ""


@pytest.mark.parametrize("name", ["class", "match", "json", "telnetlib", "flask", "py", "tests", "con"])
def test_default_for_a_reserved_title_is_accepted(name):
    assert names.package_name(name) == f"{name}_app"
    assert names.check_package_name(names.package_name(name)) == ""


@pytest.mark.parametrize("name", TITLES + NO_TITLES)
def test_accepted_names_are_their_own_defaults(name):
    if not names.check_distribution_name(name):
        assert names.distribution_name(name) == name
    if not names.check_package_name(name) and "__" not in name and not name.endswith("_"):
        assert names.package_name(name) == name


@pytest.mark.usefixtures("transliteration")
@pytest.mark.parametrize(
    ("title", "distribution", "package"),
    [
        ("My Service", "my-service", "my_service"),
        ("My_Service__v2", "my-service-v2", "my_service_v2"),
        ("Bob's API", "bobs-api", "bobs_api"),
        ("Bob\u2019s API", "bobs-api", "bobs_api"),
        ("Ünïcödé Café", "unicode-cafe", "unicode_cafe"),
        ("Straße", "strasse", "strasse"),
        ("Plan\u2014Do", "plan-do", "plan_do"),
        ("2 Fast", "2-fast", "app_2_fast"),
        ("Flask", "flask-app", "flask_app"),
        ("Scratch", "scratch-app", "scratch_app"),
        ("Json", "json", "json_app"),
        ("C++", "c", "c"),
        ("...", "my-service", "my_service"),
        ("", "my-service", "my_service"),
    ],
)
def test_default_names_are_derived_from_the_title(title, distribution, package):
    assert names.distribution_name(title) == distribution
    assert names.package_name(distribution) == package


@pytest.mark.parametrize(("title", "name"), [("Служба", "sluzhba"), ("Łódź", "lodz"), ("日本", "riben")])
def test_other_scripts_are_transliterated(title, name):
    pytest.importorskip("anyascii")
    assert names.distribution_name(title) == name


def test_other_scripts_fall_back_without_anyascii(monkeypatch):
    monkeypatch.setattr(names, "anyascii", None)
    assert names.distribution_name("Служба") == "my-service"


def test_long_default_ends_with_a_whole_word():
    assert names.distribution_name("a" * 35 + " bcd efg") == "a" * 35 + "-bcd"
    assert names.distribution_name("a" * 35 + " bcde fg") == "a" * 35 + "-bcde"
    assert names.distribution_name("a" * 35 + " bcdef") == "a" * 35
    assert names.package_name("a" * 35 + " bcdef") == "a" * 35


def test_long_default_of_one_word_is_cut():
    assert names.distribution_name("a" * 41) == "a" * 40
    assert names.package_name("1" * 40) == "app"


# --- Names


@pytest.mark.parametrize("name", ["a", "9", "2048", "my-service", "a1-2b", "json", "a" * 40])
def test_normalized_distribution_name_is_accepted(name):
    assert names.check_distribution_name(name) == ""


@pytest.mark.parametrize("name", ["a", "a1", "my_service", "my__service", "app_2", "classes", "django_app", "a" * 40])
def test_package_name_is_accepted(name):
    assert names.check_package_name(name) == ""


@pytest.mark.parametrize(("check", "name"), refusals("distribution_name", "package_name"))
def test_refusal_suggests_an_accepted_name(check, name):
    message = check(name)

    assert f'"{name[:20]}' in message
    cure = re.match(r"write (\S+)\n|use at most 40 characters\n", message)
    assert cure, message
    assert not cure[1] or check(cure[1]) == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", 'write class_app\n"class" is a Python keyword.'),
        ("json", 'write json_app\n"json" is a module of the standard library.'),
        ("my-app_2.0", 'write my_app_2_0\n"my-app_2.0" isn\'t lower-case words joined by underscores.'),
        ("2fast", 'write app_2fast\n"2fast" doesn\'t begin with a letter.'),
    ],
)
def test_refusal_of_a_package_name_gives_the_reason(name, message):
    assert names.check_package_name(name) == message


def test_refusal_of_a_distribution_name_suggests_the_normalized_form():
    assert names.check_distribution_name("My_App").startswith("write my-app\n")


@pytest.mark.parametrize("check", [names.check_distribution_name, names.check_package_name])
@pytest.mark.parametrize("name", ["name\n", "na\nme", "name ", " name", "name\0"])
def test_name_with_white_space_or_control_characters_is_refused(check, name):
    assert check(name)


def test_reserved_names_do_not_depend_on_the_running_python():
    later = {"annotationlib", "compression", "profiling"}
    gone_in_3_12 = {"asynchat", "asyncore", "distutils", "imp", "smtpd"}
    gone_in_3_13 = {"aifc", "cgi", "chunk", "crypt", "lib2to3", "nntplib", "pipes", "telnetlib", "uu", "xdrlib"}
    gone_in_3_15 = {"sre_compile", "sre_constants", "sre_parse"}

    for name in later | gone_in_3_12 | gone_in_3_13 | gone_in_3_15 | {"tomllib", "sys", "zlib", "sitecustomize"}:
        assert "standard library" in names.check_package_name(name), name
    for name in {"async", "match", "case", "type", "lazy"}:
        assert "keyword" in names.check_package_name(name), name


def test_modules_of_the_running_python_are_refused():
    for name in sys.stdlib_module_names | frozenset(sys.builtin_module_names):
        assert names.check_package_name(name), name


def test_dependencies_are_listed_in_order_and_by_normalized_names():
    assert list(names.DEPENDENCIES) == sorted(names.DEPENDENCIES)
    for name in names.DEPENDENCIES:
        assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)


# --- Texts


@pytest.mark.parametrize("check", LINE_CHECKS[:3])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_line_of_text_is_accepted(check, text):
    assert check(text) == ""


@pytest.mark.parametrize("title", TITLES)
def test_any_title_is_accepted(title):
    assert names.check_project_name(title) == ""


@pytest.mark.parametrize("check", LINE_CHECKS)
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_text_that_is_not_a_single_line_is_refused(check, text):
    assert check(text)


def test_refused_character_is_named():
    assert names.check_description("a\u202eb") == (
        'leave out the character U+202E\n"a\\u202eb" isn\'t a single line of plain text.'
    )


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_message_is_printable_and_has_at_most_two_lines(text):
    for question in names.CHECKS:
        assert fits(question, names.CHECKS[question](text))


@pytest.mark.parametrize("question", names.CHECKS)
def test_message_fits_a_terminal_and_begins_with_a_hint(question):
    """A prompt shows only the first line, after Copier's own prefix."""
    texts = [
        *REFUSED.values(),
        *NO_TITLES,
        *(name for refused in NAMES_REFUSED.values() for name in refused),
        *names.DEPENDENCIES,
        *names.IMPORTED_NAMES,
    ]
    texts += [*names.STDLIB_NAMES, *names.KEYWORDS, *names.PROJECT_NAMES, *names.WINDOWS_NAMES]
    texts += ["Word " * 60, "ab" * 20 + " Cd", "a" * 1000, "Aa-" * 100, "\U0010ffff" * 50, "debian", "A:1"]
    messages = {message for text in texts if (message := names.CHECKS[question](text))}
    assert len(messages) > 1
    for message in messages:
        assert fits(question, message)
        assert re.match("write |use |leave out ", message), message


def test_message_about_renaming_fits_a_terminal(tmp_path):
    (tmp_path / ".copier-answers.yml").write_text(f"package_name: {'b' * 40}\n", encoding="utf-8")
    assert fits("package_name", names.check_renaming("a" * 40, tmp_path / ".copier-answers.yml"))


def fits(question: str, message: str) -> bool:
    lines = f"Validation error for question '{question}': {message}".splitlines()
    # A prompt leaves the last column empty.
    return len(lines[0]) < 80 and all(line.isprintable() and len(line) <= 80 for line in lines) and len(lines) <= 2


def test_long_value_is_shown_in_part_with_its_length():
    assert f'"{"a" * 20}…" (1000 characters)' in names.check_description("a" * 1000)


@pytest.mark.parametrize(
    ("check", "maximum"),
    [
        (names.check_project_name, 100),
        (names.check_description, 300),
        (names.check_author_name, 100),
        (names.check_distribution_name, 40),
        (names.check_package_name, 40),
    ],
)
def test_longest_text_is_accepted_and_a_longer_one_refused(check, maximum):
    assert check("a" * maximum) == ""
    assert check("a" * (maximum + 1)).startswith(f"use at most {maximum} characters\n")


@pytest.mark.parametrize("title", ["", " ", "\u00a0", "\u3000", "\u200b", "\ufeff \u200d"])
def test_blank_project_name_is_refused(title):
    assert " is blank." in names.check_project_name(title)


@pytest.mark.parametrize("check", [names.check_description, names.check_author_name, names.check_author_email])
def test_description_and_author_may_be_empty(check):
    assert check("") == ""


@pytest.mark.parametrize("email", EMAILS)
def test_mail_address_is_accepted(email):
    assert names.check_author_email(email) == ""


@pytest.mark.parametrize("email", NAMES_REFUSED["author_email"])
def test_invalid_mail_address_is_refused(email):
    assert names.check_author_email(email)


def test_longest_mail_address_is_accepted():
    assert names.check_author_email("a" * 249 + "@b.cd") == ""
    assert names.check_author_email("a" * 250 + "@b.cd")


@pytest.mark.parametrize("value", [None, 7, True, [], {"a": 1}, ["a" * 1000]])
def test_value_that_is_not_text_is_refused_without_a_traceback(value):
    for check in names.CHECKS.values():
        assert "is not a text" in check(value)


# --- In Copier


def test_suitable_keeps_what_its_check_accepts_and_drops_the_rest():
    assert names.suitable("Zoë", "author_name") == "Zoë"
    assert names.suitable("jo@example.com", "author_email") == "jo@example.com"
    assert names.suitable("nobody", "author_email") == ""
    assert names.suitable("a\nb", "author_name") == ""
    assert names.suitable(None, "author_name") == ""


def test_filters_are_available_in_templates():
    render = Environment(extensions=[names.NamesExtension]).from_string
    assert render("{{ 'My Flask' | distribution_name }}").render() == "my-flask"
    assert render("{{ 'my-flask' | package_name }}").render() == "my_flask"
    assert render("{{ missing | suitable('author_name') or 'x' }}").render() == "x"
    assert render("{{ 'abc' | check_line(3) }}").render() == ""
    assert render("{{ 'abcd' | check_line(3) }}").render() != ""
    for question in names.CHECKS:
        assert render(f"{{{{ (' ' * 999) | check_{question} }}}}").render() != ""


@pytest.mark.parametrize(
    "name",
    ["my-service", "a/b", "registry.example.com/team/my-service", "localhost:5000/a__b.c--d", "REGISTRY.example/a"],
)
def test_image_name_is_accepted(name):
    assert names.check_image_name(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "My-Service",
        "a:1",
        "a@sha256:0",
        "-a",
        "a-",
        "a//b",
        "/a",
        "a/",
        "a b",
        "a..b",
        "a___b",
        "é",
        "a\n",
        "a" * 256,
        None,
    ],
)
def test_invalid_image_name_is_refused_with_its_value(name):
    message = names.check_image_name(name)

    assert message
    assert str(name)[:20].replace("\n", "\\n") in message


@pytest.mark.parametrize("image", ["", "docker/dockerfile:1", "docker/dockerfile", "mirror.example:5000/d:1.9-labs"])
def test_frontend_of_a_dockerfile_is_accepted(image):
    assert names.check_dockerfile_syntax(image) == ""
    assert names.check_dockerfile_syntax(f"docker/dockerfile:1@sha256:{'0' * 64}") == ""


@pytest.mark.parametrize("image", [" ", "docker/dockerfile:", "docker/dockerfile:1 2", "a\n# b", "a@sha256:0", "A:1"])
def test_invalid_frontend_is_refused(image):
    assert "docker/dockerfile:1" in names.check_dockerfile_syntax(image)


@pytest.mark.parametrize(
    "image",
    [
        "debian:13",
        "debian:13.2-slim",
        "team/debian:13",
        "registry.example.com:5000/team/debian:13.2",
        "REGISTRY.example/debian:Trixie_1",
        f"debian@sha256:{'0' * 64}",
        f"registry.example.com:5000/debian:13@sha256:{'a1' * 32}",
    ],
)
def test_base_image_with_a_tag_or_a_digest_is_accepted(image):
    assert names.check_base_image(image) == ""


@pytest.mark.parametrize(
    "image",
    [
        "",
        "debian",
        "registry.example.com:5000/team/debian",
        "debian:",
        "debian@",
        "debian@sha256:0",
        f"debian@sha256:{'A' * 64}",
        "Debian:13",
        "team/Debian:13",
        "a b:1",
        "debian:1 2",
        "debian:-1",
        "debian:13\nUSER root",
        "debian:13 AS build",
        "${BASE}:1",
        "/debian:13",
        "https://registry.example.com/debian:13",
    ],
)
def test_invalid_base_image_is_refused_with_an_example(image):
    assert names.check_base_image(image).startswith("write one such as debian:13.2\n")


def test_base_image_needs_a_tag():
    assert names.check_base_image("debian").endswith('"debian" isn\'t an image with a tag.')


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my-service", "my-service"),
        ("1984", "app-1984"),
        ("1e3", "app-1e3"),
        ("no", "app-no"),
        ("a" * 60, "a" * 40),
        ("orders-and-invoices-of-the-northern-branch-office", "orders-and-invoices-of-the-northern"),
    ],
)
def test_objects_of_kubernetes_have_valid_names(name, expected):
    assert names.object_name(name) == expected
