"""Services as their teams laid them out, which the template didn't make."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A service, and where its team does otherwise than docs/adopt.md says in its commands and code."""

    framework: str
    files: dict[str, str]
    made_by: tuple[str, ...] = ()
    """What made more files before these were written."""
    otherwise: dict[str, str] = field(default_factory=dict)
    """Patterns in the document, and what takes the place of what they find."""
    changed: tuple[str, ...] = ()
    """Files of its own that the template's replace, beyond those that all services have."""
    pages: tuple[str, ...] = ("/orders/3",)


# What each of them answers to /orders/3.
ORDER = {"number": 3, "due": "1970-01-04T00:00:00+00:00"}

# What all of them have.
COMMON = {
    ".gitignore": "*.sqlite\n/.env\n",
    "Dockerfile": "FROM python:3.11\nCOPY . /code\nRUN pip install /code\nCMD flask --app orders.web run --host 0.0.0.0\n",
    "README.md": "# Orders\n",
}
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
    r"uv add --requirements requirements.txt": "uv add 'arrow>=1.3'",
    r"\$ git rm requirements.txt\n": "",
}

FLASK = """
import arrow
from flask import Flask, jsonify

app = Flask("orders")


@app.route("/orders/<int:number>")
def order(number):
    return jsonify(number=number, due=arrow.get(0).shift(days=number).isoformat())
"""
FLASK_IN_A_VARIABLE = Existing(
    framework="flask",
    files={
        "orders/__init__.py": "",
        "orders/web.py": FLASK,
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
)
FLASK_BY_A_FUNCTION = Existing(
    framework="flask",
    files={
        "src/orders/__init__.py": FLASK.replace("app = ", "def make_app():\n    app = ")
        .replace("\n\n\n@app", "\n\n    @app")
        .replace("\ndef order", "\n    def order")
        .replace("    return json", "        return json")
        + "\n    return app\n",
        "tests/api/conftest.py": """
import pytest

import orders


@pytest.fixture
def api():
    return orders.make_app().test_client()
""",
        "tests/api/test_api.py": """
def test_order(api):
    assert api.get("/orders/3").get_json()["number"] == 3
""",
        "pyproject.toml": PYPROJECT + 'dependencies = ["flask>=3", "arrow>=1.3"]\n',
    },
    otherwise={
        **IN_SRC,
        r"from \. import health\n": "from . import health, make_app\n",
        r"from \.web import app\n\napp.register_blueprint\(health.blueprint\)\n": "",
        r"    return app\n": "    app = make_app()\n    app.register_blueprint(health.blueprint)\n    return app\n",
    },
)

FASTAPI_IN_A_VARIABLE = Existing(
    framework="fastapi",
    files={
        "orders/__init__.py": "",
        "orders/main.py": """
from contextlib import asynccontextmanager

import arrow
from fastapi import FastAPI

from orders.routers import orders


@asynccontextmanager
async def lifespan(app):
    app.state.epoch = arrow.get(0)
    yield


app = FastAPI(title="Orders", lifespan=lifespan)
app.include_router(orders.router)
""",
        "orders/routers/__init__.py": "",
        "orders/routers/orders.py": """
from fastapi import APIRouter, Request

router = APIRouter(prefix="/orders")


@router.get("/{number}")
async def order(number: int, request: Request):
    return {"number": number, "due": request.app.state.epoch.shift(days=number).isoformat()}
""",
        "tests/test_api.py": """
from fastapi.testclient import TestClient

from orders.main import app


def test_order():
    with TestClient(app) as client:
        assert client.get("/orders/3").json()["number"] == 3
""",
        "requirements.txt": "fastapi\nuvicorn[standard]\narrow>=1.3\n",
    },
)
FASTAPI_BY_A_FUNCTION = Existing(
    framework="fastapi",
    files={
        "src/orders/__init__.py": "",
        "src/orders/main.py": FASTAPI_IN_A_VARIABLE.files["orders/main.py"].replace(
            """app = FastAPI(title="Orders", lifespan=lifespan)
app.include_router(orders.router)
""",
            """def make_app():
    app = FastAPI(title="Orders", lifespan=lifespan)
    app.include_router(orders.router)
    return app
""",
        ),
        "src/orders/routers/__init__.py": "",
        "src/orders/routers/orders.py": FASTAPI_IN_A_VARIABLE.files["orders/routers/orders.py"],
        "tests/api/test_api.py": FASTAPI_IN_A_VARIABLE.files["tests/test_api.py"]
        .replace("import app", "import make_app")
        .replace("(app)", "(make_app())"),
        "pyproject.toml": PYPROJECT + 'dependencies = ["fastapi", "uvicorn", "arrow>=1.3"]\n',
    },
    otherwise={
        **IN_SRC,
        r"from \.main import app\n\napp.include_router\(health.router\)\n": "from .main import make_app\n",
        r"    return app\n": "    app = make_app()\n    app.include_router(health.router)\n    return app\n",
    },
)

# Django itself writes most of them.
START_PROJECT = "uvx --from django>=5.2 django-admin startproject orders ."
START_APP = "uvx --from django>=5.2 django-admin startapp shop"
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
from shop import views

urlpatterns = [path("admin/", admin.site.urls), path("orders/<int:number>", views.order)]
"""
DJANGO_WITH_AN_APP_BESIDE = Existing(
    framework="django",
    made_by=(
        START_PROJECT,
        START_APP,
        "sed --in-place \"s/^INSTALLED_APPS = ./&'shop',/\" orders/settings.py",
    ),
    files={
        "orders/urls.py": URLS,
        **{f"shop/{name}": text for name, text in APP.items()},
        "shop/tests.py": """
from django.core.management import call_command
from django.test import TestCase


class OrderTest(TestCase):
    def test_order(self):
        assert self.client.get("/orders/3").json()["number"] == 3

    def test_migrations_are_complete(self):
        call_command("makemigrations", check=True)
""",
        "requirements.txt": "django>=5.2\narrow>=1.3\n",
    },
    otherwise={
        r"git mv orders src/": "git mv orders shop src/",
        r"\$ uv sync\n": '$ sed --in-place \'s/^module-name = .*/module-name = ["orders", "shop"]/\' pyproject.toml\n$ uv sync\n',
    },
    changed=("manage.py", "src/orders/wsgi.py"),
    pages=("/orders/3", "/static/admin/css/base.css"),
)
DJANGO_WITH_AN_APP_INSIDE = Existing(
    framework="django",
    made_by=(
        START_PROJECT,
        "sed --in-place \"s/^INSTALLED_APPS = ./&'orders.shop',/\" orders/settings.py",
    ),
    files={
        "orders/urls.py": URLS.replace("from shop import views", "from orders import views"),
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
        r"\$ git rm requirements.txt": "$ git rm requirements.txt pytest.ini",
    },
    changed=("manage.py", "src/orders/wsgi.py"),
    pages=("/orders/3", "/static/admin/css/base.css"),
)

EXISTING = {
    "flask-in-a-variable": FLASK_IN_A_VARIABLE,
    "flask-by-a-function": FLASK_BY_A_FUNCTION,
    "fastapi-in-a-variable": FASTAPI_IN_A_VARIABLE,
    "fastapi-by-a-function": FASTAPI_BY_A_FUNCTION,
    "django-with-an-app-beside": DJANGO_WITH_AN_APP_BESIDE,
    "django-with-an-app-inside": DJANGO_WITH_AN_APP_INSIDE,
}
