"""The files of services with any choices: valid for their real readers, clean, and in agreement with one another."""

import configparser
import json
import random
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path

import pytest
import yaml
from choices import CHOICES, FRAMEWORKS, NONE, OTHER, PLATFORMS, SERVERS, server_choices
from links import broken_links
from validate_pyproject import api as validate_pyproject
from yamllint import linter
from yamllint.config import YamlLintConfig

DEFAULT_SERVICE = """
    .copier-answers.yml .dockerignore .envrc .gitattributes .gitignore .pre-commit-config.yaml .python-version
    AGENTS.md Dockerfile README.md docker-entrypoint.sh docs/operations.md etc/uwsgi.ini example.env
    pyproject.toml src/my_service/__init__.py src/my_service/app.py src/my_service/config.py src/my_service/health.py
    src/my_service/hooks.py src/my_service/logs.py src/my_service/wsgi.py
    tests/conftest.py tests/test_app.py tests/test_image.py tests/test_logs.py
"""
OPTIONS = {
    "database": r"postgres|psycopg|sqlalchemy|alembic|migrat|\bnotes|DATABASE_URL|compose",
    "jobs": r"procrastinate|\bjobs|tasks\.py",
    "deploy": "kube|overlays",
    "ci": "github|gitlab|workflow|pipeline",
}
LICENSES = {"Proprietary": "", "MIT": "MIT License", "Apache-2.0": "Apache License", "BSD-3-Clause": "BSD 3-Clause"}
# The longest and the shortest names, so that lines have to be broken or joined.
NAMES = {"long": "a" * 40, "default": "my_service", "short": "x"}
YAML = YamlLintConfig(
    "{extends: default, rules: {document-start: disable, line-length: disable, truthy: {check-keys: false}}}"
)
# Files that name the framework and the server.
NAMED = ["AGENTS.md", "Dockerfile", "README.md", "docker-entrypoint.sh", "pyproject.toml"]
# Files, or documents with a section, for updates from the template.
FOR_UPDATES = r"\.md$|\.copier-answers|dependabot|update\.yml|gitlab-ci"
# `on:` in GitHub's workflows is a text, and uWSGI's options may be repeated.
READERS: dict[str, Callable[[str], object]] = {
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".ini": configparser.RawConfigParser(strict=False).read_string,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".yml": lambda text: list(yaml.safe_load_all(text)),
}


def all_choices() -> Iterator[dict[str, str]]:
    """Yield each combination of choices."""
    data = [(NONE, NONE), *((database, jobs) for database in CHOICES["database"] for jobs in (NONE, *CHOICES["jobs"]))]
    more = product((*PLATFORMS, OTHER), data, (NONE, *CHOICES["deploy"]), (NONE, *CHOICES["ci"]), LICENSES, NAMES)
    stacks = [(framework, server) for framework in FRAMEWORKS for server in server_choices(framework).values()]
    for (framework, server), (platform, (database, jobs), deploy, ci, terms, names) in product(stacks, more):
        yield {
            "framework": framework,
            "server": server,
            "platform": platform,
            "database": database,
            "jobs": jobs,
            "deploy": deploy,
            "ci": ci,
            "license": terms,
            "names": names,
        }


def pairwise(number: int = 2000) -> list[dict[str, str]]:
    """Return few combinations in which each two choices meet, picked from a random *number* of them."""
    rows = random.Random(1).sample(list(all_choices()), number)
    pairs = [set(combinations(row.items(), 2)) for row in rows]
    missing = set().union(*pairs)
    picked = []
    while missing:
        best = max(range(number), key=lambda row: len(pairs[row] & missing))
        picked.append(rows[best])
        missing -= pairs[best]
    return picked


def files(service: Path) -> dict[str, str]:
    """Return the text of each file, by its path."""
    paths = sorted(path for path in service.rglob("*") if path.is_file())
    return {path.relative_to(service).as_posix(): path.read_bytes().decode() for path in paths}


def tool(service: Path, name: str, *arguments: str) -> str:
    """Run a tool in a service's folder; return its output, and nothing if it succeeds."""
    command = [Path(sys.executable).with_name(name), *arguments]
    result = subprocess.run(command, cwd=service, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.stdout if result.returncode else ""


def check_readers(service: Path, texts: dict[str, str]) -> None:
    """Check that each file is valid for what reads it."""
    for name, text in texts.items():
        for suffix, reader in READERS.items():
            if name.endswith(suffix):
                reader(text)
        if name.endswith((".yaml", ".yml")):
            assert not list(linter.run(text, YAML)), name
    assert validate_pyproject.Validator()(tomllib.loads(texts["pyproject.toml"]))
    assert not tool(service, "ruff", "check", "--no-cache")
    assert not tool(service, "ruff", "format", "--no-cache", "--diff")
    assert not tool(service, "shellcheck", "--shell=sh", ".envrc", "docker-entrypoint.sh")
    # Not DL3008: Debian and Ubuntu have only one version of a package, which changes with each security fix.
    assert not tool(service, "hadolint", "--ignore=DL3008", "--failure-threshold=warning", "Dockerfile")
    if compose := [name for name in texts if name.startswith("compose.")]:
        assert not tool(service, "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *compose)
    assert broken_links(*service.rglob("*.md")) == []


def check_texts(service: Path, texts: dict[str, str], python: str, others: str) -> None:
    """Check that files are clean, and name one version of Python, and none of the *others*."""
    for name, text in texts.items():
        # Not GitHub's own expressions, ${{ … }}, nor Docker's, {{.… }}.
        assert not re.search(r"(?<!\$)\{\{[^.]|\{%|\{#|#\}|%\}", name + text), name
        assert not re.search(r"[ \t\r]$|\n\n\n\n|\A\n", text, re.MULTILINE), name
        assert re.search(r"[^\n]\n\Z", text) or (not text and name.endswith("__init__.py")), name
        assert ((service / name).stat().st_mode & stat.S_IXUSR > 0) == text.startswith("#!"), name
        assert set(re.findall(r"[Pp]ython[ =:]*(\d\.\d+)", text)) <= {python}, name
        if name in NAMED:
            assert not re.search(rf"\b({others})\b", name + text, re.IGNORECASE), name
        if not re.search(FOR_UPDATES, name):
            assert not re.search(r"copier|cookiecutter|\b[Tt]he template\b", text), name
    assert all(list(path.iterdir()) for path in service.rglob("*") if path.is_dir())


@pytest.mark.parametrize("choices", pairwise(), ids=lambda row: "-".join(row.values()))
def test_files_are_valid_clean_and_agree(render, choices):
    answers = {name: choice for name, choice in choices.items() if name != "names"}
    python = "3.12"
    if choices["platform"] == OTHER:
        answers |= {"base_image": "registry.example.com/python:1", "python_version": python}
    else:
        python = PLATFORMS[choices["platform"]]["python"]
    package = NAMES[choices["names"]]
    image = f"registry.example.com/team/{package}"
    service = render(**answers, package_name=package, distribution_name=package.replace("_", "-"), image_name=image)
    texts = files(service)

    check_readers(service, texts)
    check_texts(service, texts, python, "|".join({*FRAMEWORKS, *SERVERS} - set(choices.values())))
    assert texts[".python-version"] == f"{python}\n"
    assert tomllib.loads(texts["pyproject.toml"])["project"]["requires-python"] == f"=={python}.*"
    assert ("LICENSE" in texts) == (choices["license"] != "Proprietary")


def test_default_service_has_these_files(render):
    assert list(files(render())) == sorted(DEFAULT_SERVICE.split())


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_option_that_was_not_chosen_is_not_mentioned(render, framework):
    chosen = {"database": "postgresql", "jobs": "procrastinate", "deploy": "kubernetes", "ci": "github"}

    def mentioned(option: str, **answers: str) -> list[str]:
        texts = files(render(framework=framework, **answers))
        del texts[".copier-answers.yml"]
        return [name for name, text in texts.items() if re.search(OPTIONS[option], name + text, re.IGNORECASE)]

    for option in OPTIONS:
        assert mentioned(option) == []
        assert len(mentioned(option, **chosen)) > 2
    assert mentioned("jobs", database="postgresql") == []


def test_license_has_its_text_the_holder_and_the_year_of_the_first_copy(render):
    for name, words in LICENSES.items():
        file = render(license=name, author_name="Zoë O'Neil", copyright_year="1999") / "LICENSE"
        assert file.exists() == (name != "Proprietary")
        assert not words or all(text in file.read_text() for text in (words, "Zoë O'Neil", "1999"))
    assert re.search(r"^copyright_year: '20\d\d'$", files(render())[".copier-answers.yml"], re.MULTILINE)


def test_dockerfile_has_its_images_at_the_top(render):
    def top(**answers: str) -> str:
        return files(render(**answers))["Dockerfile"].partition("FROM ")[0]

    assert top().startswith("# syntax=docker/dockerfile:1\n")
    assert top(dockerfile_syntax="mirror.example/d:1.9").startswith("# syntax=mirror.example/d:1.9\n")
    assert "syntax" not in top(dockerfile_syntax="")
    assert "ARG BUILD_IMAGE=team/build:1\n" in top(build_image="team/build:1")
    assert re.findall(r"^ARG (\w+)=\S+:\S+$", top(), re.MULTILINE) == ["BASE_IMAGE", "UV_IMAGE"]
