"""A service that the template didn't make adopts it, by docs/adopt.md."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from demo import free_port, wait_until_ready
from support import TEMPLATE, Service, edit

ADOPT = (TEMPLATE / "docs/adopt.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", ADOPT, re.MULTILINE)
(BRIDGE,) = re.findall(r"^```python\n(.*?)^```$", ADOPT, re.MULTILINE | re.DOTALL)

WEB = """
import arrow
from flask import Flask, jsonify

app = Flask("orders")


@app.route("/orders/<int:number>")
def order(number):
    return jsonify(number=number, due=arrow.get(0).shift(days=number).isoformat())
"""
# Two habits: all in the top folder and in a global variable, or below src/ and made by a function.
FLAT = {
    "orders/__init__.py": "",
    "orders/web.py": WEB,
    "tests/test_api.py": """
from orders.web import app


def test_order():
    assert app.test_client().get("/orders/3").get_json()["number"] == 3
""",
    "requirements.txt": "flask>=3\n# for due dates\narrow>=1.3\n",
    "pyproject.toml": """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "orders"
version = "4.2.0"
dynamic = ["dependencies"]

[tool.setuptools]
packages = ["orders"]

[tool.setuptools.dynamic]
dependencies = { file = ["requirements.txt"] }
""",
}
SRC = {
    "src/orders/__init__.py": WEB.replace("app = ", "def make_app():\n    app = ")
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
    "pyproject.toml": """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "orders"
version = "4.2.0"
dependencies = ["flask>=3", "arrow>=1.3"]
""",
}
BOTH = {
    ".gitignore": "*.sqlite\n/.env\n",
    "Dockerfile": "FROM python:3.11\nCOPY . /code\nRUN pip install /code\nCMD flask --app orders.web run --host 0.0.0.0\n",
    "README.md": "# Orders\n",
}


@pytest.fixture
def template(template_clone: Path, tmp_path: Path) -> Path:
    """Give the template with a release above all others."""
    template = tmp_path / "uv-docker-template"
    shutil.copytree(template_clone, template)
    subprocess.run(["git", "-C", template, "tag", "v1000.0.0"], check=True)
    return template


def make(folder: Path, files: dict[str, str], env: dict[str, str]) -> Service:
    """Write and commit a service; `.env` is ignored, and has to stay."""
    for name, text in {**files, **BOTH, ".env": "PASSWORD=secret\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    service = Service(folder, {**env, "GIT_EDITOR": "false"})
    service.run("git init --quiet")
    service.run("git add --all")
    service.run("git commit --quiet --message Start")
    return service


def run_documented(service: Service, command: str, template: Path) -> str:
    """Run a command of docs/adopt.md; where it would ask, it takes the defaults."""
    command = command.replace("gh:org/uv-docker-template", str(template)).replace(
        "../uv-docker-template", str(TEMPLATE)
    )
    if " copier copy " in command:
        command += " --defaults"
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=service.folder,
        env=service.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}"
    return result.stdout


def lists(output: str) -> dict[str, set[str]]:
    """Read what the dry run prints."""
    found: dict[str, set[str]] = {}
    for line in output.splitlines():
        if heading := re.fullmatch(r"(added|changed|left alone): \d+", line):
            paths = found.setdefault(heading[1], set())
        elif found:
            paths.add(line.strip())
    return found


def fetch(service: Service, path: str) -> object:
    """Start the service as docs/adopt.md says, and fetch a page."""
    command = "uv run uwsgi --ini etc/uwsgi.ini"
    assert command in COMMANDS
    port = free_port()
    with subprocess.Popen(
        command.split(),
        cwd=service.folder,
        env={**service.env, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=10) as answer:
                return json.load(answer)
        finally:
            server.terminate()


@pytest.mark.parametrize("layout", ["flat", "src"])
def test_an_existing_service_adopts_the_template_and_updates(layout, template, user_env, tmp_path):
    files = FLAT if layout == "flat" else SRC
    service = make(tmp_path / "orders", files, user_env)
    folder = service.folder
    seen: dict[str, set[str]] = {}
    for command in COMMANDS:
        if layout == "src" and re.search(r"^mkdir src|package below src|requirements.txt", command):
            continue
        if command.startswith("uv run uwsgi "):
            continue
        if command.startswith("rm tests/test_app.py"):
            (folder / "src/orders/app.py").write_text(BRIDGE)
            if layout == "src":
                edit(
                    folder / "src/orders/app.py",
                    (r"from \. import health", "from . import health, make_app"),
                    (r"from \.web import app\n\napp.register_blueprint\(health.blueprint\)\n", ""),
                    (r"return app", "app = make_app()\n    app.register_blueprint(health.blueprint)\n    return app"),
                )
                service.run("uv add 'arrow>=1.3'")
        if command.startswith("git add "):
            changed = set(service.run("git diff --name-only HEAD").split())
            tested = service.run("uv run pytest --verbose")
        output = run_documented(service, command, template)
        if " adoption " in command:
            seen = lists(output)
            assert service.run("git status --short") == ""
        if " copier copy " in command:
            status = service.run("git status --short --untracked-files=all")
            assert seen["changed"] == set(re.findall(r"^ M (.*)$", status, re.MULTILINE))
            assert seen["added"] == set(re.findall(r"^\?\? (.*)$", status, re.MULTILINE)) - {"uv.lock"}

    own = {name if name.startswith(("src/", "tests/")) else f"src/{name}" for name in files if name.endswith(".py")}
    assert seen["changed"] == {".gitignore", "Dockerfile", "pyproject.toml"}
    assert seen["left alone"] == own | {"README.md"} | ({"requirements.txt"} & files.keys())
    assert changed - {"requirements.txt"} == seen["changed"]
    assert re.search(r"test_api\.py::test_order PASSED", tested)
    assert re.search(r"test_health\.py::test_alive PASSED", tested)
    service.run("uv lock --check")
    assert 'version = "4.2.0"' in (folder / "pyproject.toml").read_text()
    assert set((folder / ".gitignore").read_text().splitlines()) >= {"*.sqlite", "/.env", "/.venv/"}
    assert (folder / ".env").read_text() == "PASSWORD=secret\n"
    assert ".env" not in service.run("git ls-files").split()
    assert fetch(service, "/orders/3") == {"number": 3, "due": "1970-01-04T00:00:00+00:00"}

    edit(template / "template/etc/{{ 'uwsgi.ini' if server == 'uwsgi' }}.jinja", (r"\Z", "# Improved.\n"))
    edit(template / "template/pyproject.toml.jinja", (r'"ruff>=', '"iniconfig>=2",\n    "ruff>='))
    subprocess.run(["git", "-C", template, "commit", "--all", "--quiet", "--message=Improve"], check=True)
    subprocess.run(["git", "-C", template, "tag", "v1000.0.1"], check=True)
    service.run("uvx --with jinja2-time --with copier-template-extensions copier update --trust --defaults")
    assert set(service.run("git status --short").splitlines()) == {
        " M .copier-answers.yml",
        " M etc/uwsgi.ini",
        " M pyproject.toml",
        " M uv.lock",
    }
    assert "<<<<<<<" not in (folder / "pyproject.toml").read_text()
    service.run("uv lock --check")


def fingerprint(folder: Path) -> dict[str, tuple]:
    """Tell all that could change in a folder, Git's own included."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def dry_run(folder: Path, template: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "uv",
            "run",
            TEMPLATE / "tools/preview.py",
            "adoption",
            *options,
            template,
            folder,
            "--data=package_name=orders",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_changes_nothing_at_all(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLAT, user_env)
    # Git would refresh its index for this one.
    (service.folder / "README.md").touch()
    before = fingerprint(tmp_path)

    result = dry_run(service.folder, template, "--json")

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["changed"] == [".gitignore", "Dockerfile", "README.md", "pyproject.toml"]
    assert fingerprint(tmp_path) == before


def test_a_dry_run_warns_of_files_that_git_could_not_bring_back(template, user_env, tmp_path):
    service = make(tmp_path / "orders", {**FLAT, ".envrc": "export A=1\n"}, user_env)
    service.run("git rm --quiet --cached .envrc")
    (service.folder / ".gitignore").write_text("/.env*\n")
    service.run("git commit --quiet --all --message Ignore")

    result = dry_run(service.folder, template)

    assert result.returncode == 2
    assert result.stderr == "preview: git doesn't have these files, which would be overwritten: .envrc\n"


def test_a_dry_run_refuses_uncommitted_work(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLAT, user_env)
    (service.folder / "orders/web.py").write_text("half an idea")

    result = dry_run(service.folder, template)

    assert (result.returncode, result.stdout) == (2, "")
    assert "has uncommitted changes, which an adoption could overwrite: commit them" in result.stderr


def test_a_dry_run_says_which_answer_is_wrong(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLAT, user_env)

    result = dry_run(service.folder, template, "--json")
    wrong = subprocess.run(
        [*result.args[:-1], "--data=package_name=class"], capture_output=True, text=True, check=False
    )

    assert wrong.returncode == 2
    assert '"class" is a Python keyword' in wrong.stderr
