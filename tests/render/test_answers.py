"""Any text is rendered unchanged or refused with a reason."""

import ast
import subprocess
import sys
import tomllib
from itertools import cycle

import pytest
import yaml
from hostile import EMAILS, NAMES_REFUSED, REFUSED, TEXTS, TITLES
from markdown_it import MarkdownIt

# Titles are in the Python of FastAPI only.
FRAMEWORKS = ["fastapi", "flask", "fastapi", "django"]
TRIPLES = zip(*[iter([*TEXTS.values(), "", ""])] * 3, strict=False)


def plain_text(markdown: str, tag: str) -> str:
    """Return the text of the first *tag* of a document, which has no other mark-up."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    opened = next(number for number, token in enumerate(tokens) if token.tag == tag)
    children = tokens[opened + 1].children
    assert {child.type for child in children} <= {"text", "text_special", "softbreak"}, children
    return "".join(child.content or "\n" for child in children)


@pytest.mark.parametrize(
    ("framework", "email", "texts"), [*zip(cycle(FRAMEWORKS), cycle(EMAILS), TRIPLES, strict=False)], ids=repr
)
def test_texts_survive_in_every_file(render, framework, email, texts):
    title, description, author = texts
    answers = {"project_name": title, "description": description, "author_name": author, "author_email": email}
    service = render(**answers, framework=framework, license="MIT", package_name="hostile")

    assert answers.items() <= yaml.safe_load((service / ".copier-answers.yml").read_text(encoding="utf-8")).items()
    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["description"], project["authors"]) == (description, [{"name": author, "email": email}])
    readme = (service / "README.md").read_text(encoding="utf-8")
    assert (plain_text(readme, "h1"), plain_text(readme, "p")) == (title, description)
    assert author in (service / "LICENSE").read_text(encoding="utf-8")
    if framework == "fastapi":
        module = ast.parse((service / "src/hostile/app.py").read_text(encoding="utf-8"))
        assert title in [node.value for node in ast.walk(module) if isinstance(node, ast.Constant)]
        for check in ("check", "format --check"):
            subprocess.run([sys.executable, "-m", "ruff", *check.split(), "--no-cache", "."], cwd=service, check=True)


def test_name_and_address_may_be_missing(render):
    def authors(**answers: str) -> object:
        text = (render(author_name="", **answers) / "pyproject.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["project"].get("authors")

    assert authors(author_email="jo@example.com") == [{"email": "jo@example.com"}]
    assert authors(author_email="") is None


@pytest.mark.parametrize("title", [*TITLES[::4], "日本", "Test App"], ids=repr)
def test_any_title_gives_a_service_by_default(render, title):
    assert (render(project_name=title) / "pyproject.toml").is_file()


# tests/extensions/ has all of them.
REFUSALS = [("project_name", REFUSED["newline"]), ("description", REFUSED["far too long"])]
REFUSALS += [(question, values[1]) for question, values in NAMES_REFUSED.items()]
REFUSALS += [("build_image", "debian"), ("platform", "fedora"), ("license", "mit"), ("server", "uvicorn")]
REFUSALS += [("database", "postgres"), ("jobs", "procrastinate"), ("package_name", "class")]


@pytest.mark.parametrize(("question", "value"), REFUSALS, ids=lambda value: repr(value)[:20])
def test_unsuitable_answer_is_refused(refuse, question, value):
    more = {"platform": "other"} if question == "base_image" else {}
    message = refuse(**{question: value}, **more)

    assert f"'{question}'" in message
    assert len(message) < 300


def test_package_of_djangos_name_is_refused_only_there(refuse, render):
    assert "write admin_app\nDjango has an app" in refuse(framework="django", package_name="admin")
    assert (render(package_name="admin") / "src/admin").is_dir()


def test_unknown_question_is_refused_by_these_tests(render):
    with pytest.raises(ValueError, match="asks no such question: frmework"):
        render(frmework="django")
