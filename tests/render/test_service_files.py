"""The files of rendered services, with any answers."""

import ast
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from offered import COMBINATIONS, FEW_COMBINATIONS, PAIRS, marked
from validate_pyproject import api as validate_pyproject

EXPECTED = [
    ".copier-answers.yml",
    ".dockerignore",
    ".envrc",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".python-version",
    "Dockerfile",
    "README.md",
    "docker-entrypoint.sh",
    "docs/configuration.md",
    "docs/development.md",
    "docs/production.md",
    "docs/updating.md",
    "etc/healthcheck.py",
    "etc/preload.py",
    "example.env",
    "pyproject.toml",
    "src/my_service/__init__.py",
    "src/my_service/access.py",
    "src/my_service/bodies.py",
    "src/my_service/config.py",
    "src/my_service/health.py",
    "src/my_service/logs.py",
    "src/my_service/probes.py",
    "src/my_service/proxy.py",
    "tests/container.toml",
    "tests/container/__init__.py",
    "tests/container/conftest.py",
    "tests/container/example.py",
    "tests/container/options.py",
    "tests/container/test_commands.py",
    "tests/container/test_image.py",
    "tests/container/test_lifecycle.py",
    "tests/container/test_requests.py",
    "tests/test_access.py",
    "tests/test_bodies.py",
    "tests/test_config.py",
    "tests/test_logs.py",
    "tests/test_probes.py",
    "tests/test_proxy.py",
]
OF_FRAMEWORK = {
    "flask": [
        "src/my_service/app.py",
        "src/my_service/hosts.py",
        "src/my_service/wsgi.py",
        "tests/conftest.py",
        "tests/test_app.py",
        "tests/test_hosts.py",
    ],
    "django": [
        "manage.py",
        "src/my_service/migrations/__init__.py",
        "src/my_service/settings.py",
        "src/my_service/urls.py",
        "src/my_service/views.py",
        "src/my_service/wsgi.py",
        "tests/__init__.py",
        "tests/settings.py",
        "tests/test_health.py",
        "tests/test_views.py",
    ],
    "fastapi": [
        "src/my_service/app.py",
        "src/my_service/asgi.py",
        "src/my_service/environment.py",
        "src/my_service/hosts.py",
        "tests/conftest.py",
        "tests/test_app.py",
        "tests/test_environment.py",
        "tests/test_hosts.py",
    ],
}
OF_SERVER = {
    "uwsgi": ["etc/uwsgi.ini", "tests/container/test_stop.py"],
    "gunicorn": ["etc/gunicorn.conf.py", "etc/logging.json", "etc/serve.py", "tests/container/test_stop.py"],
    "granian": ["etc/granian.env", "etc/logging.json", "etc/serve.py"],
    "uvicorn": ["etc/logging.json", "etc/serve.py", "etc/uvicorn.env"],
}
OF_DATABASE = [
    "compose.override.yaml",
    "compose.yaml",
    "compose/nginx.conf",
    "docs/database.md",
    "src/my_service/database.py",
    "src/my_service/migrate.py",
    "src/my_service/models.py",
    "src/my_service/notes.py",
    "tests/container/postgresql.py",
    "tests/container/test_database.py",
    "tests/test_database.py",
    "tests/test_migrate.py",
    "tests/test_notes.py",
]
OF_JOBS = [
    "docs/jobs.md",
    "src/my_service/jobs.py",
    "src/my_service/tasks.py",
    "src/my_service/worker.py",
    "tests/container/test_worker.py",
    "tests/test_jobs.py",
    "tests/test_tasks.py",
    "tests/test_worker.py",
]
ON_KUBERNETES = [
    "deploy/kubernetes/base/autoscaler.yaml",
    "deploy/kubernetes/base/disruption.yaml",
    "deploy/kubernetes/base/kustomization.yaml",
    "deploy/kubernetes/base/namespace.yaml",
    "deploy/kubernetes/base/network.yaml",
    "deploy/kubernetes/base/web.yaml",
    "deploy/kubernetes/overlays/production/kustomization.yaml",
    "deploy/kubernetes/overlays/staging/kustomization.yaml",
    "docs/kubernetes.md",
]
ON_KUBERNETES_WITH_JOBS = [
    "deploy/kubernetes/base/migrate.yaml",
    "deploy/kubernetes/base/worker.yaml",
    "src/my_service/migrated.py",
    "tests/test_migrated.py",
]
WITH_JOBS = {"database": "postgresql", "jobs": "procrastinate"}
MIGRATIONS = {
    "django": [
        "src/my_service/migrations/0001_notes.py",
        "src/my_service/postgresql/__init__.py",
        "src/my_service/postgresql/base.py",
        "tests/conftest.py",
    ],
    "flask": [f"src/my_service/migrations/{name}" for name in ("env.py", "script.py.mako", "versions/0001_notes.py")],
}
MIGRATIONS["fastapi"] = MIGRATIONS["flask"]
NAMES = {"flask", "django", "fastapi", "uwsgi", "gunicorn", "granian", "uvicorn"}

LICENSES = ["Proprietary", "MIT", "Apache-2.0", "BSD-3-Clause"]
OF_UPDATES = [".ci/copier.txt", ".ci/update", ".ci/with-token"]
CI = {
    "github": [*OF_UPDATES, ".github/dependabot.yml", ".github/workflows/test.yml", ".github/workflows/update.yml"],
    "gitlab": [*OF_UPDATES, ".gitlab-ci.yml"],
    "none": [],
}


@pytest.fixture(
    params=[
        *marked(COMBINATIONS, FEW_COMBINATIONS),
        *({"license": name} for name in LICENSES),
        *({"ci": ci, "framework": framework} for ci in ("github", "gitlab") for framework in OF_FRAMEWORK),
        *({"database": "postgresql", "framework": framework, "server": server} for framework, server in PAIRS),
        *({"database": "postgresql", "ci": ci} for ci in ("github", "gitlab")),
        *({**WITH_JOBS, "framework": framework, "server": server} for framework, server in PAIRS),
    ],
    ids=lambda answers: "-".join(answers.values()),
)
def service(request, render) -> Path:
    return render(**request.param)


def files(service: Path) -> dict[str, Path]:
    return {path.relative_to(service).as_posix(): path for path in service.rglob("*") if path.is_file()}


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@pytest.mark.parametrize(("framework", "server"), PAIRS)
def test_a_service_has_exactly_the_expected_files(render, framework, server):
    expected = [*EXPECTED, *OF_FRAMEWORK[framework], *OF_SERVER[server]]

    assert sorted(files(render(framework=framework, server=server))) == sorted(expected)
    with_database = files(render(framework=framework, server=server, database="postgresql"))
    expected += [*OF_DATABASE, *MIGRATIONS[framework]]
    assert sorted(with_database) == sorted(expected)
    with_jobs = files(render(framework=framework, server=server, **WITH_JOBS))
    assert sorted(with_jobs) == sorted([*expected, *OF_JOBS])
    everything = files(render(framework=framework, server=server, deploy="kubernetes", **WITH_JOBS))
    assert sorted(everything) == sorted([*expected, *OF_JOBS, *ON_KUBERNETES, *ON_KUBERNETES_WITH_JOBS])


def test_only_a_service_with_jobs_mentions_them(render):
    for framework in OF_FRAMEWORK:
        for name, path in files(render(framework=framework, database="postgresql")).items():
            text = path.read_text(encoding="utf-8")
            assert not re.search("procrastinate|jobs.md|WORKER_", text), name


def test_only_a_service_with_a_database_mentions_it(render):
    for framework in ("flask", "fastapi"):
        for name, path in files(render(framework=framework)).items():
            if name not in {".copier-answers.yml", "docs/development.md", "docs/production.md"}:
                text = path.read_text(encoding="utf-8")
                assert not re.search("sql|alembic|psycopg|migrat|DATABASE_URL: ", text, re.IGNORECASE), name


@pytest.mark.parametrize(("framework", "server"), PAIRS)
def test_files_mention_no_other_framework_or_server(render, framework, server):
    others = re.compile("|".join(NAMES - {framework, server}), re.IGNORECASE)
    for name, path in files(render(framework=framework, server=server)).items():
        found = others.findall(name + path.read_text(encoding="utf-8"))
        assert found == [], name


def test_a_chosen_license_adds_its_text(render):
    for name, words in {"MIT": "MIT License", "Apache-2.0": "Apache License", "BSD-3-Clause": "BSD 3-Clause"}.items():
        text = (render(license=name, author_name="Zoë O'Neil") / "LICENSE").read_text(encoding="utf-8")
        assert words in text
        assert "Zoë O'Neil" in text
        assert "{" not in text
    assert not (render(license="Proprietary") / "LICENSE").exists()


def test_a_chosen_ci_adds_its_files_and_no_others(render):
    for name, added in CI.items():
        assert set(files(render(ci=name))) - set(files(render())) == set(added)


def test_no_folder_is_empty(service):
    assert [path for path in service.rglob("*") if path.is_dir() and not any(path.iterdir())] == []


def test_no_jinja_is_left_over(service):
    for name, path in files(service).items():
        # GitHub's own expressions: ${{ … }}
        assert not re.search(r"(?<!\$)\{\{|\{%|\{#|#\}|%\}", name + path.read_text(encoding="utf-8")), name


def test_text_is_clean(service):
    for name, path in files(service).items():
        text = path.read_bytes().decode()
        assert "\r" not in text, name
        assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{name}: trailing white space"
        assert not re.search(r"\n\n\n\n", text), f"{name}: stray blank lines"
        if text:
            assert re.search(r"[^\n]\n\Z", text), f"{name}: not one final newline"
            assert not text.startswith("\n"), f"{name}: begins with a blank line"


def test_only_scripts_are_executable(service):
    executable = {name for name, path in files(service).items() if path.stat().st_mode & stat.S_IXUSR}
    assert executable == {name for name, path in files(service).items() if path.read_bytes().startswith(b"#!")}
    assert executable - {*OF_UPDATES, "manage.py"} == {"docker-entrypoint.sh"}


def test_only_files_for_updates_mention_the_template(service):
    # Django also has templates, and django.template.
    inner_life = re.compile(r"copier|(?<!django\.)\btemplate\b|jinja2?[-_]time|cookiecutter", re.IGNORECASE)
    for name, path in files(service).items():
        text = path.read_text(encoding="utf-8")
        if name in {
            ".copier-answers.yml",
            "docs/updating.md",
            *OF_UPDATES,
            ".github/dependabot.yml",
            ".github/workflows/update.yml",
        }:
            continue
        if name == ".gitlab-ci.yml":
            text = text.partition("# The last three propose the template's improvements")[0]
        if name == "README.md":
            text = text.partition("## Change")[0]
        assert not inner_life.search(text), name


def test_python_is_formatted_and_clean(service):
    for check in (["check"], ["format", "--check", "--diff"]):
        ruff = subprocess.run(
            [tool("ruff"), *check, "--no-cache", "."], cwd=service, capture_output=True, text=True, check=False
        )
        assert ruff.returncode == 0, ruff.stdout + ruff.stderr


def test_python_compiles(service):
    for name, path in files(service).items():
        if name.endswith(".py"):
            ast.parse(path.read_text(encoding="utf-8"), name)


def test_pyproject_is_valid(service):
    pyproject = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))
    assert validate_pyproject.Validator()(pyproject)


def test_yaml_is_clean(service):
    for name in files(service):
        if name.endswith((".yml", ".yaml")):
            # `on:` is a key of GitHub's workflows, not a boolean.
            off = "document-start: disable, line-length: disable, truthy: {check-keys: false}"
            rules = f"{{extends: default, rules: {{{off}}}}}"
            subprocess.run([tool("yamllint"), "--strict", "--config-data", rules, name], cwd=service, check=True)


def test_shell_is_clean(service):
    subprocess.run([tool("shellcheck"), "--shell=sh", service / ".envrc", service / "docker-entrypoint.sh"], check=True)
    if scripts := [*service.glob(".ci/update"), *service.glob(".ci/with-token")]:
        subprocess.run([tool("shellcheck"), *scripts], check=True)


def test_python_version_is_the_same_wherever_it_is_named(service):
    version = (service / ".python-version").read_text(encoding="utf-8").strip()
    pyproject = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))
    assert pyproject["project"]["requires-python"] == f"=={version}.*"
    named = {
        (name, found)
        for name, path in files(service).items()
        for found in re.findall(r"[Pp]ython[ =-]*(\d\.\d+)", path.read_text(encoding="utf-8"))
    }
    assert {found for _, found in named} <= {version}, named


@pytest.mark.parametrize(("framework", "server"), PAIRS)
def test_platforms_with_the_same_python_differ_only_in_the_image_and_its_documents(render, framework, server):
    """Therefore the results of the services' own checks on one of them hold for the other."""
    ubuntu, official = [
        files(render(platform=platform, framework=framework, server=server))
        for platform in ("ubuntu-26.04", "python-3.14")
    ]

    differing = {name for name in ubuntu | official if ubuntu[name].read_bytes() != official[name].read_bytes()}
    assert differing - {"docs/development.md"} == {".copier-answers.yml", "Dockerfile", "tests/container/test_image.py"}


def test_the_year_is_stored_once(render):
    answers = yaml.safe_load((render() / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert re.fullmatch(r"20\d\d", answers["copyright_year"])
    license_text = (render(license="MIT", copyright_year="1999") / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright (c) 1999 " in license_text


def test_dockerfile_pins_all_images_at_its_top(service):
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    top, _, rest = dockerfile.partition("FROM ")
    pins = dict(re.findall(r"^ARG (\w+)=(\S+)$", top, re.MULTILINE))

    assert all(re.fullmatch(r"[^:]+:[\w.-]*(\d|trixie|bookworm)[\w.-]*", image) for image in pins.values()), pins
    stages = set(re.findall(r" AS (\w+)$", dockerfile, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) <= {f"${{{name}}}" for name in pins} | stages
    assert set(re.findall(r"[-,]from=(\w+)", rest)) <= stages


def test_dockerfile_uses_the_chosen_frontend(render):
    def first_line(**answers: str) -> str:
        return (render(**answers) / "Dockerfile").read_text(encoding="utf-8").splitlines()[0]

    assert first_line() == "# syntax=docker/dockerfile:1"
    assert (
        first_line(dockerfile_syntax="mirror.example.com/dockerfile:1.9")
        == "# syntax=mirror.example.com/dockerfile:1.9"
    )
    assert "syntax" not in first_line(dockerfile_syntax="")


def test_every_multiline_step_stops_at_its_first_failure(service):
    """Podman ignores SHELL, so each step sets the option itself."""
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")

    assert "SHELL" not in dockerfile
    assert dockerfile.count("<<EOT\n") == dockerfile.count("<<EOT\nset -ex\n") > 0
