"""Text that breaks other templates is rendered unchanged, or refused with a reason."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from itertools import cycle
from pathlib import Path

import names
import pytest
import yaml
from hostile import REFUSED, TEXTS
from markdown_it import MarkdownIt
from offered import COMBINATIONS
from packaging.metadata import RawMetadata, parse_email

EMAILS = ["jo@example.com", "o'brien+tag@example.co.uk", "zoë@exämple.org", "a_b-c.d@localhost", "x%y{z}#@example.com"]
EMAILS_REFUSED = [
    "jo",
    "@example.com",
    "jo@",
    "a@b@c",
    "Jo <jo@example.com>",
    "jo@example.com, al@example.com",
    "j o@x",
]
NAMES_REFUSED = {
    "project_name": ["", "   "],
    "author_email": EMAILS_REFUSED,
    "distribution_name": [
        "",
        "My_App",
        "-a",
        "a-",
        "a--b",
        "a.b",
        "é",
        "flask",
        "uwsgi",
        "pytest",
        "a" * 41,
        "../a",
        "a b",
    ],
    "package_name": [
        *["", "class", "match", "type", "_", "None", "json", "asyncio", "tomllib", "annotationlib", "distutils"],
        *["flask", "werkzeug", "environ", "attr", "uwsgi", "uwsgidecorators", "pytest", "mypy", "tests", "conftest"],
        *[
            "2fast",
            "my-app",
            "My_app",
            "é",
            "a b",
            "a.b",
            "__init__",
            "aux",
            "com1",
            "a" * 41,
            "../a",
            "a/b",
            "{{ x }}",
        ],
    ],
}


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def plain_text(markdown: str, tag: str) -> str:
    """Return the rendered text of the first *tag* of a document, before white space is collapsed."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    opened = next(number for number, token in enumerate(tokens) if token.tag == tag)
    children = tokens[opened + 1].children
    assert {child.type for child in children} <= {"text", "text_special", "softbreak"}, children
    return "".join(child.content or "\n" for child in children)


def label_value(labels: str, label: str) -> str:
    """Return the value of a label in a Dockerfile; tests/image/ checks it with an engine."""
    (value,) = re.findall(rf'\.{label}="((?:[^"\\]|\\.)*)"', labels)
    return re.sub(r"\\(.)", r"\1", value)


def core_metadata(service: Path, folder: Path) -> RawMetadata:
    """Return the metadata that the service's build backend makes."""
    name = subprocess.run(
        [tool("uv-build"), "prepare-metadata-for-build-wheel", folder],
        cwd=service,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()[-1]
    metadata, unparsed = parse_email((folder / name / "METADATA").read_bytes())
    assert not unparsed
    return metadata


def test_texts_cover_every_combination():
    assert len(COMBINATIONS) < len(TEXTS)


# A name with a comma tells a variant of a text, such as its place in a line.
@pytest.mark.parametrize(
    ("text", "combination"),
    [
        pytest.param(text, combination, id=name, marks=[pytest.mark.slow] if "," in name else [])
        for (name, text), combination in zip(TEXTS.items(), cycle(COMBINATIONS), strict=False)
    ],
)
def test_text_survives_in_every_file(text, combination, render, tmp_path):
    title = text[:100]
    name = text[:100]
    service = render(
        **combination,
        project_name=title,
        distribution_name="hostile",
        package_name="hostile_service",
        description=text,
        author_name=name,
        author_email="",
        license="MIT",
    )

    answers = yaml.safe_load((service / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert (answers["project_name"], answers["description"], answers["author_name"]) == (title, text, name)

    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == text
    assert project["authors"] == [{"name": name}]
    metadata = core_metadata(service, tmp_path)
    assert metadata["summary"].strip() == text.strip()
    assert metadata["author"].strip() == name.strip()

    module = "views.py" if combination["framework"] == "django" else "app.py"
    module = ast.parse((service / "src/hostile_service" / module).read_text(encoding="utf-8"))
    assert title in [node.value for node in ast.walk(module) if isinstance(node, ast.Constant)]

    readme = (service / "README.md").read_text(encoding="utf-8")
    assert plain_text(readme, "h1") == title
    assert plain_text(readme, "p") == text

    labels = (service / "Dockerfile").read_text(encoding="utf-8").partition("LABEL ")[2]
    assert [label_value(labels, label) for label in ("title", "description")] == [title, text]

    assert name in (service / "LICENSE").read_text(encoding="utf-8")
    subprocess.run(["sh", "-n", service / ".envrc"], check=True)
    subprocess.run([tool("ruff"), "check", "--no-cache", "--quiet", "."], cwd=service, check=True)
    subprocess.run([tool("ruff"), "format", "--no-cache", "--check", "--quiet", "."], cwd=service, check=True)


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("part", range(4))
def test_no_text_changes_a_workflow(part, ci, render):
    """The description consists of many texts."""
    texts = textwrap.wrap(" ".join(TEXTS.values()), names.MAX_DESCRIPTION)
    service = render(description=texts[part * len(texts) // 4], ci=ci)

    workflows = [*service.glob(".github/workflows/*.yml"), *service.glob(".gitlab-ci.yml")]
    assert workflows
    for workflow in workflows:
        plain = render(ci=ci) / workflow.relative_to(service)
        assert workflow.read_bytes() == plain.read_bytes()
    subprocess.run(["bash", "-n", service / ".ci/update"], check=True)


@pytest.mark.parametrize("email", EMAILS)
def test_email_survives(email, render, tmp_path):
    service = render(author_name="Zoë", author_email=email)

    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["authors"] == [{"name": "Zoë", "email": email}]
    assert core_metadata(service, tmp_path)["author_email"].endswith(f"<{email}>")


def test_authors_may_stay_empty(render, tmp_path):
    service = render(author_name="", author_email="", description="")

    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "authors" not in project
    assert not core_metadata(service, tmp_path).get("summary")


@pytest.mark.parametrize(
    ("question", "text"),
    # Each text for one question: tests/extensions/ tests all pairs.
    [*zip(cycle(["project_name", "description", "author_name", "author_email"]), REFUSED.values(), strict=False)],
    ids=REFUSED,
)
def test_text_that_is_not_a_single_line_is_refused(question, text, refuse):
    message = refuse(**{question: text})

    assert question in message
    assert len(message) < 500, "the value is shown, but not all of a huge one"


@pytest.mark.parametrize(
    ("question", "name"), [(question, name) for question, names in NAMES_REFUSED.items() for name in names]
)
def test_unsuitable_name_is_refused_with_its_value_and_a_hint(question, name, refuse):
    message = refuse(**{question: name})

    assert question in message
    assert f'"{name[:20]}' in message
    assert re.search(r"\b(use|choose|such as|write|give)\b", message, re.IGNORECASE), message


@pytest.mark.parametrize(
    "title", ["Json", "Class", "2 Fast", "日本", "Flask", "Ünïcödé Café", "C++", "CON", "🚀", "a" * 99]
)
def test_every_title_gives_a_service_by_default(title, render):
    assert (render(project_name=title) / "pyproject.toml").is_file()
