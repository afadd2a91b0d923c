"""Existing services adopt the template by docs/how-to/adopt.md, and get its updates."""

import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import CERTIFICATES, TEMPLATE, Service, commit, edit, git

ADOPT = (TEMPLATE / "docs/how-to/adopt.md").read_text(encoding="utf-8")
COPIER = "uvx --with jinja2-time --with copier-template-extensions copier"
OLD = '"orders", "orders.views", "conftest", "test_api"'
INDEX = (r'    @app.get\("/"\).*?(?=    return app)', "")
# What the application that is served responds to a page and to a probe, and the request's ID.
CLIENTS = {
    "flask": "from orders.wsgi import application\nclient = application.test_client()",
    "fastapi": """
from fastapi.testclient import TestClient
from orders.app import create_app
from orders.middleware import RequestLog
client = TestClient(RequestLog(create_app()))
""",
    "django": """
from orders.wsgi import application
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client(headers={"Host": "localhost"})
""",
}
RESPONSES = """
from contextlib import nullcontext
with client if hasattr(client, "__enter__") else nullcontext():
    page = client.get("/orders/3", headers={"X-Request-ID": "abc"})
    print(page.status_code, page.headers["X-Request-ID"], client.get("/readyz").status_code)
"""


@dataclass(frozen=True)
class StandIn:
    """A service in tests/foreign/services/, and what its team does otherwise than the document's example."""

    made_by: str = "true"
    """Commands that generate more files."""
    instead: dict[str, str] = field(default_factory=dict)
    edits: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    old: str = OLD
    """The modules that aren't checked for types."""


STAND_INS = {
    "flask": StandIn(
        made_by="""
            uvx --with-requirements requirements.txt flask --app orders db init
            uvx --with-requirements requirements.txt flask --app orders db migrate
            rm -r instance
        """,
        instead={
            "git mv orders src/": "git mv orders src/ && git mv migrations src/orders/",
            "git commit": """sed -i 's/Migrate()/Migrate(directory=__path__[0] + "\\/migrations")/' src/orders/__init__.py
$ git commit --all""",
            "uv add": "sed -i /^gunicorn/d requirements.txt && uv add",
            "requirements.txt\n```": "requirements.txt setup.py setup.cfg Procfile\n```",
        },
        edits={
            "src/orders/app.py": [(r"    app = Flask\(__name__\)\n", "CODE"), INDEX],
            "Dockerfile": [
                (r"(ENV PATH=[^\n]*\n)", r"\1    UPLOADS=/tmp/uploads DATABASE_URL=sqlite:////tmp/orders.sqlite3 \\\n")
            ],
        },
        old='"orders", "orders.migrations.*", "orders.models", "orders.views", "orders.worker", "conftest", "test_api"',
    ),
    "fastapi": StandIn(
        instead={
            "uv add --requirements requirements.txt": "uv add 'pydantic-settings>=2' python-multipart 'arrow>=1.3'",
            r"\$ git rm --force requirements.txt": "$ echo API_TOKEN=only-an-example >>example.env",
        },
        edits={
            "src/orders/app.py": [
                (r"    @asynccontextmanager\n.*?\n        yield\n\n", ""),
                (r"    app = FastAPI\(\n.*?\n    \)\n", "CODE"),
                INDEX,
            ],
        },
        old='"orders.main", "orders.routers.*", "orders.settings", "orders.worker", "conftest", "test_api"',
    ),
    "django": StandIn(
        made_by="""
            mkdir .made
            uvx --from django>=5.2 django-admin startproject orders .made
            cp -rn .made/. .
            rm -r .made
            mv orders/settings.py orders/settings/base.py
            sed -i "s/^INSTALLED_APPS = ./&'shop',/" orders/settings/base.py
            uv run --no-project --with-requirements requirements/base.txt python manage.py makemigrations \
                --settings orders.settings.development shop
            rm orders/db.sqlite3
        """,
        instead={
            "git mv orders src/": "git mv orders shop src/",
            "framework=django": "framework=django --data server=gunicorn",
            "__init__.py tests": "__init__.py src/orders/urls.py",
            "uv add --requirements requirements.txt": "sed -i /^gunicorn/d requirements/production.txt\n"
            "$ uv add --requirements requirements/production.txt",
            "force requirements.txt": "force -r requirements docker-compose.yml src/orders/settings src/orders/asgi.py",
            "--fix src/orders/app.py": "--fix src/orders/settings.py",
        },
        edits={
            "src/orders/settings.py": [
                ("    PACKAGE,\n", '    PACKAGE,\n    "shop",\n'),
                (r"\Z", 'MEDIA_ROOT = env.str("MEDIA_ROOT", default="media")\n'),
            ],
            "pyproject.toml": [
                (r'(module-name =) "orders"', r'\1 ["orders", "shop"]'),
                (r'testpaths = \["tests"\]', 'testpaths = ["src", "tests"]'),
            ],
        },
        old='"shop.*"',
    ),
}


@pytest.fixture
def template(template_files: Path, tmp_path: Path) -> Path:
    """Make a repository of the template, with a release."""
    folder = shutil.copytree(template_files, tmp_path / "uv-docker-template")
    commit(folder)
    git(folder, "tag", "v1000.0.0")
    return folder


def make(name: str, folder: Path) -> Service:
    """Make and commit a service; `.env` is ignored by Git, and has to survive."""
    shutil.copytree(TEMPLATE / "tests/foreign/services" / name, folder)
    (folder / ".env").write_text("PASSWORD=secret\n")
    service = Service(folder, {**os.environ, "PYTEST_ADDOPTS": "--verbose"})
    for command in filter(str.strip, STAND_INS[name].made_by.splitlines()):
        service.run(command)
    commit(folder)
    return service


def commands(name: str) -> list[str]:
    """Return the document's commands, as a service's team runs them."""
    text = ADOPT
    for pattern, replacement in {"framework=flask": f"framework={name}", **STAND_INS[name].instead}.items():
        text, count = re.subn(pattern, lambda _, new=replacement: new, text)
        assert count, f"docs/how-to/adopt.md: no {pattern}"
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [command for block in blocks for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE)]


def edit_by_hand(name: str, folder: Path) -> None:
    """Make the changes that the document describes."""
    code = dict(re.findall(r"^\*\*(\w+):\*\*[^`]*(?:`[^`]+`[^`]*)*?```python\n(.*?)^```", ADOPT, re.M | re.S))
    (relaxed,) = re.findall(r"^```toml\n(.*?)^```", ADOPT, re.M | re.S)
    for file, changes in STAND_INS[name].edits.items():
        new = {"CODE": code.get({"flask": "Flask", "fastapi": "FastAPI"}.get(name, ""), "")}
        edit(folder / file, *((pattern, new.get(replacement, replacement)) for pattern, replacement in changes))
    edit(
        folder / "pyproject.toml",
        ("fail_under = 90", "fail_under = 30"),
        (r"\Z", f"\n{relaxed}"),
        (OLD, STAND_INS[name].old),
    )
    edit(folder / "tests/test_image.py", (r"\{port\}/", "{port}/orders/3"), (r'\["name"\] == NAME', '["number"] == 3'))
    for example in ("tests/test_app.py", "tests/test_views.py", "src/orders/views.py" if name == "django" else "-"):
        (folder / example).unlink(missing_ok=True)


@pytest.mark.parametrize(
    "name", ["fastapi", *(pytest.param(name, marks=pytest.mark.slow) for name in ("flask", "django"))]
)
def test_existing_service_adopts_the_template(
    request: pytest.FixtureRequest, template: Path, tmp_path: Path, name: str
) -> None:
    service = make(name, tmp_path / "orders")
    outputs: dict[str, str] = {}
    for command in commands(name):
        if command == "uv run ruff format":
            edit_by_hand(name, service.folder)
        env = {}
        if command == "uv run poe image":
            if not request.config.getoption("slow"):
                continue
            request.getfixturevalue("use_engine")
            env = {**os.environ, "SSL_CERT_FILE": CERTIFICATES}
        real = command.replace(COPIER, f"{sys.executable} -m copier").replace(
            "gh:org/uv-docker-template", str(template)
        )
        if " copier copy " in command:
            real += " --defaults --data dockerfile_syntax="
        outputs[command] = service.run(f"bash -c {shlex.quote(real)}", **env)

    assert "test_order PASSED" in outputs["uv run poe check"]
    assert "test_both_libraries_write_json PASSED" in outputs["uv run poe check"]
    (tmp_path / "check.py").write_text(f"{CLIENTS[name]}\n{RESPONSES}")
    printed = service.run(f"uv run --env-file example.env python {tmp_path / 'check.py'}", LOG_FORMAT="json")
    assert printed.splitlines()[-1] == "200 abc 200"
    assert 'version = "4.2.0"' in (service.folder / "pyproject.toml").read_text()
    assert (service.folder / ".env").read_text() == "PASSWORD=secret\n"
    assert (service.folder / "README.md").read_text().startswith("# Orders\n")
    assert git(service.folder, "status", "--short") == ""

    edit(template / "template/Dockerfile.jinja", (r"\Z", "# Improved.\n"))
    edit(template / "template/pyproject.toml.jinja", ('"ruff>=', '"iniconfig>=2", "ruff>='))
    commit(template)
    git(template, "tag", "v1000.0.1")
    service.run(f"{sys.executable} -m copier update --trust --defaults")
    changed = git(service.folder, "status", "--short").split()[1::2]
    assert changed == [".copier-answers.yml", "Dockerfile", "pyproject.toml", "uv.lock"]
    assert "<<<<<<<" not in (service.folder / "pyproject.toml").read_text()
