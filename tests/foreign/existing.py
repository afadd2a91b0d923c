"""Existing services with various layouts, which weren't made from the template."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A service, and its team's deviations from the commands and code in docs/how-to/adopt.md."""

    framework: str
    server: str
    files: dict[str, str]
    made_by: tuple[str, ...] = ()
    """Commands that generate more files."""
    otherwise: dict[str, str] = field(default_factory=dict)
    """Patterns in the document, and their replacements."""
    code: str = "src/orders/app.py"
    """The file for the document's code."""
    changed: tuple[str, ...] = ()
    """Its files that the template replaces, in addition to those that it replaces in all services."""
    gone: tuple[str, ...] = ()
    """Its files that are no longer needed."""
    warnings: tuple[str, ...] = ()
    """The preview's warnings, with the package below src/."""
    pages: tuple[str, ...] = ("/orders/3",)
    settings: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    migration: str = ""
    job: str = ""
    work_done: str = ""
    """For containers: variables, headers of an upload, commands, and the job's output after some work."""


def files_of(name: str) -> dict[str, str]:
    """Read a service from its folder in services/."""
    folder = Path(__file__).parent / "services" / name
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


# The response of each service to /orders/3.
ORDER = {"number": 3, "due": "1970-01-04T00:00:00+00:00"}

# The files that all of them have.
COMMON = {
    ".gitignore": "*.sqlite\n/.env\n",
    "Dockerfile": "FROM python:3.11\nCOPY . /code\nRUN pip install /code\nCMD flask --app orders.web run --host 0.0.0.0\n",
    "README.md": "# Orders\n",
}
REPLACED = "is replaced by the template's way to start a process"
CMD = f"Dockerfile, line 4: CMD flask --app orders.web run --host 0.0.0.0 {REPLACED}"
PYPROJECT = """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "orders"
version = "4.2.0"
"""
# Below src/ already, and with dependencies in pyproject.toml.
IN_SRC = {
    r"\$ mkdir src .*?\n\$ git commit .*?\n": "",
    r"\$ sed [^\n]* requirements.txt\n": "",
    r"uv add --requirements requirements.txt": "uv add 'arrow>=1.3'",
    r"\$ git rm [^\n]* requirements.txt\n": "",
}

WEB = """
import arrow
from flask import Flask, jsonify

app = Flask("orders")


@app.route("/orders/<int:number>")
def order(number):
    return jsonify(number=number, due=arrow.get(0).shift(days=number).isoformat())
"""
FLASK_IN_A_VARIABLE = Existing(
    framework="flask",
    server="uwsgi",
    files={
        "orders/__init__.py": "",
        "orders/web.py": WEB,
        "tests/test_api.py": """
from orders.web import app


def test_order():
    assert app.test_client().get("/orders/3").get_json()["number"] == 3
""",
        "requirements.txt": "flask>=3\n# for due dates\narrow>=1.3\n",
        "pyproject.toml": PYPROJECT
        + """
dynamic = ["dependencies"]

[tool.setuptools]
packages = ["orders"]

[tool.setuptools.dynamic]
dependencies = { file = ["requirements.txt"] }
""",
    },
    gone=("requirements.txt",),
    warnings=(CMD,),
)
FASTAPI_BY_A_FUNCTION = Existing(
    framework="fastapi",
    server="granian",
    files={
        "src/orders/__init__.py": "",
        "src/orders/main.py": """
from contextlib import asynccontextmanager

import arrow
from fastapi import FastAPI

from orders.routers import orders


@asynccontextmanager
async def lifespan(app):
    app.state.epoch = arrow.get(0)
    yield


def make_app():
    app = FastAPI(title="Orders", lifespan=lifespan)
    app.include_router(orders.router)
    return app
""",
        "src/orders/routers/__init__.py": "",
        "src/orders/routers/orders.py": """
from fastapi import APIRouter, Request

router = APIRouter(prefix="/orders")


@router.get("/{number}")
async def order(number: int, request: Request):
    return {"number": number, "due": request.app.state.epoch.shift(days=number).isoformat()}
""",
        "tests/api/test_api.py": """
from fastapi.testclient import TestClient

from orders.main import make_app


def test_order():
    with TestClient(make_app()) as client:
        assert client.get("/orders/3").json()["number"] == 3
""",
        "pyproject.toml": PYPROJECT + 'dependencies = ["fastapi", "uvicorn", "arrow>=1.3"]\n',
    },
    otherwise={
        **IN_SRC,
        r"from \.main import app\n": "from .main import make_app\n",
        r"    return app\n": "    app: FastAPI = make_app()\n    return app\n",
        r'"orders.web", ': '"orders.main", "orders.routers.*", ',
    },
    warnings=(
        CMD,
        "pyproject.toml, line 9: uvicorn is a web server, and the template brings its own",
    ),
)

# `django-admin startproject` generates most of the files.
START_PROJECT = (
    "mkdir .made",
    "uvx --from django>=5.2 django-admin startproject orders .made",
    "cp --recursive --no-clobber .made/. .",
    "rm --recursive .made",
)
APP = {
    "models.py": """
from django.db import models


class Order(models.Model):
    number = models.IntegerField(unique=True)
""",
    "migrations/0001_initial.py": """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField(unique=True)),
            ],
        )
    ]
""",
    "views.py": """
import arrow
from django.http import JsonResponse

from .models import Order


def order(request, number):
    found, _ = Order.objects.get_or_create(number=number)
    return JsonResponse({"number": found.number, "due": arrow.get(0).shift(days=number).isoformat()})
""",
}
URLS = """
from django.contrib import admin
from django.urls import path
from orders import views

urlpatterns = [path("admin/", admin.site.urls), path("orders/<int:number>", views.order)]
"""
DJANGO_WITH_AN_APP_INSIDE = Existing(
    framework="django",
    server="uwsgi",
    made_by=(
        *START_PROJECT,
        "sed --in-place \"s/^INSTALLED_APPS = ./&'orders.shop',/\" orders/settings.py",
    ),
    files={
        "orders/urls.py": URLS,
        "orders/views.py": "from orders.shop.views import order\n",
        "orders/shop/__init__.py": "",
        "orders/shop/migrations/__init__.py": "",
        **{f"orders/shop/{name}": text for name, text in APP.items()},
        "tests/api/test_api.py": """
def test_order(db, client):
    assert client.get("/orders/3").json()["number"] == 3
""",
        "requirements.txt": "django>=5.2\narrow>=1.3\n",
        "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = orders.settings\n",
    },
    otherwise={
        r"--force requirements.txt": "--force requirements.txt pytest.ini",
        r"\$ sed [^\n]* tests/settings.py\n": "",
        r'"orders.web", "test_api"': '"orders.settings", "orders.urls", "orders.views", "orders.shop.*", "tests.api.*"',
    },
    code="src/orders/settings.py",
    changed=("manage.py", "src/orders/wsgi.py"),
    gone=("pytest.ini", "requirements.txt"),
    warnings=(CMD,),
    pages=("/orders/3", "/static/admin/css/base.css"),
)

# --- Complete services, which are run in containers ------------------------------------------

FLASK = Existing(
    framework="flask",
    server="uwsgi",
    files=files_of("flask"),
    made_by=(
        "uvx --with-requirements requirements.txt flask --app orders db init",
        "uvx --with-requirements requirements.txt flask --app orders db migrate",
        "rm --recursive instance",
    ),
    otherwise={
        r"\$ mkdir src && git mv orders src/\n": """\
$ mkdir src && git mv orders src/ && git mv migrations src/orders/
$ sed --in-place 's/Migrate()/Migrate(directory=os.path.join(os.path.dirname(__file__), "migrations"))/' src/orders/__init__.py
$ mkdir tests/api && touch tests/api/__init__.py && git mv tests/conftest.py tests/test_api.py tests/api/
$ git add --all
""",
        r"\$ git rm --force requirements.txt": """\
$ git rm --force requirements.txt setup.py setup.cfg Procfile
$ sed --in-place 's|^strict = true|&\\nexclude = ["/migrations/"]|' pyproject.toml
$ sed --in-place 's|^ENV PATH=.*|&\\n    UPLOADS=/data/uploads \\\\|' Dockerfile""",
        r"from \.config import Config\n": "from . import create_app as make_app\nfrom .config import Config\n",
        r"from \.web import app\n": "",
        r"    return app\n": "    app: Flask = make_app()\n    return app\n",
        r'"orders.web", "test_api"': '"orders", "orders.models", "orders.views", "orders.worker", "api.*"',
    },
    changed=(".dockerignore", "docker-entrypoint.sh"),
    gone=("Procfile", "requirements.txt", "setup.cfg", "setup.py"),
    warnings=(
        f'Dockerfile, line 6: ENTRYPOINT ["./docker-entrypoint.sh"] {REPLACED}',
        f'Dockerfile, line 7: CMD ["gunicorn", "--bind", "0.0.0.0:8000", "orders:create_app()"] {REPLACED}',
        f"Procfile, line 1: release: flask --app orders db upgrade {REPLACED}",
        f'Procfile, line 2: web: gunicorn "orders:create_app()" {REPLACED}',
        f"Procfile, line 3: worker: python -m orders.worker {REPLACED}",
        "requirements.txt, line 5: gunicorn is a web server, and the template brings its own",
        f"docker-entrypoint.sh: {REPLACED}",
    ),
    settings=("DATABASE_URL=sqlite:////data/orders.sqlite3",),
    migration="flask --app orders.wsgi db upgrade",
    job="python -m orders.worker",
    work_done="counted 1",
)
FASTAPI = Existing(
    framework="fastapi",
    server="granian",
    files=files_of("fastapi"),
    otherwise={
        r"\$ mkdir src && git mv orders src/\n": """\
$ mkdir src && git mv orders src/
$ mkdir tests/api && touch tests/api/__init__.py && git mv tests/conftest.py tests/test_api.py tests/api/
$ git add --all
""",
        r"\$ sed [^\n]* requirements.txt\n": "",
        r"uv add --requirements requirements.txt": "uv add 'pydantic-settings>=2' python-multipart 'arrow>=1.3'",
        r"\$ git rm --force requirements.txt": "$ printf 'API_TOKEN=only-for-tests\\n' >> example.env",
        r'"orders.web", "test_api"': ('"orders.main", "orders.settings", "orders.routers.*", "orders.worker", "api.*"'),
    },
    changed=(".dockerignore",),
    warnings=(
        f'Dockerfile, line 5: CMD ["poetry", "run", "uvicorn", "orders.main:app", "--host", "0.0.0.0"] {REPLACED}',
        "pyproject.toml, line 11: uvicorn is a web server, and the template brings its own",
    ),
    settings=("API_TOKEN=secret", "UPLOADS=/data/uploads"),
    headers={"Authorization": "Bearer secret"},
    job="python -m orders.worker",
    work_done="worker is ready",
)
DJANGO = Existing(
    framework="django",
    server="gunicorn",
    files=files_of("django"),
    made_by=(
        *START_PROJECT,
        "mv orders/settings.py orders/settings/base.py",
        "sed --in-place \"s/^INSTALLED_APPS = ./&'shop',/\" orders/settings/base.py",
        "uv run --no-project --with-requirements requirements/base.txt"
        " python manage.py makemigrations --settings orders.settings.development shop",
        "rm orders/db.sqlite3",
    ),
    otherwise={
        r"git mv orders src/": "git mv orders shop src/",
        r"framework=django": "framework=django --data server=gunicorn",
        r" requirements.txt\n\$ uv add --requirements requirements.txt\n\$ git rm --force requirements.txt\n": (
            " requirements/production.txt\n$ uv add --requirements requirements/production.txt\n"
            "$ git rm --force -r requirements docker-compose.yml\n"
            "$ sed --in-place 's|^ENV PATH=.*|&\\n    MEDIA_ROOT=/data/media \\\\|' Dockerfile\n"
            """$ sed --in-place 's/^module-name = .*/module-name = ["orders", "shop"]/' pyproject.toml\n"""
        ),
        r"uv run uwsgi --ini etc/uwsgi.ini": "uv run gunicorn --config etc/gunicorn.conf.py orders.wsgi",
        r'"orders.web", "test_api"': '"orders.settings.*", "orders.urls", "shop.*"',
    },
    code="src/orders/settings/production.py",
    changed=("manage.py", "src/orders/wsgi.py"),
    gone=("docker-compose.yml", "requirements/base.txt", "requirements/development.txt", "requirements/production.txt"),
    warnings=(
        f"Dockerfile, line 8: CMD python manage.py migrate && gunicorn --bind :8000 orders.wsgi {REPLACED}",
        f"docker-compose.yml, line 4: command: gunicorn --bind :8000 orders.wsgi {REPLACED}",
        f"docker-compose.yml, line 7: command: python manage.py process_documents {REPLACED}",
        "requirements/production.txt, line 2: gunicorn is a web server, and the template brings its own",
    ),
    pages=("/orders/3", "/static/admin/css/base.css"),
    settings=("DATABASE_URL=sqlite:////data/db.sqlite3", "SECRET_KEY=" + 50 * "x1"),
    migration="django-admin migrate",
    job="django-admin process_documents",
    work_done="counted 1",
)

# Small services with other layouts.
LAYOUTS = {
    "flask-in-a-variable": FLASK_IN_A_VARIABLE,
    "fastapi-by-a-function": FASTAPI_BY_A_FUNCTION,
    "django-with-an-app-inside": DJANGO_WITH_AN_APP_INSIDE,
}
SERVICES = {"flask": FLASK, "django": DJANGO}
