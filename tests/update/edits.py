"""Typical edits of teams. Each one has a function that makes it, and one that checks whether it was kept.

An edit of a file that a service doesn't have, such as another server's, doesn't apply to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from support import edit


@dataclass(frozen=True)
class Edit:
    """One edit."""

    name: str
    make: Callable[[Path], None]
    kept: Callable[[Path], bool]
    applies: Callable[[Path], bool] = lambda service: True


def inserted(name: str, file: str, *texts: tuple[str, str]) -> Edit:
    """Return an edit that replaces patterns with texts; a pattern may be a position."""

    def make(service: Path) -> None:
        edit(path(service, file), *((pattern, text.replace("\\", r"\\")) for pattern, text in texts))

    def kept(service: Path) -> bool:
        content = path(service, file).read_text(encoding="utf-8")
        return all(text in content for _, text in texts)

    return Edit(name, make, kept, applies=lambda service: path(service, file).exists())


def added(name: str, file: str, content: bytes) -> Edit:
    """Return an edit that adds a file."""

    def make(service: Path) -> None:
        path(service, file).write_bytes(content)

    def kept(service: Path) -> bool:
        return path(service, file).is_file() and path(service, file).read_bytes() == content

    return Edit(name, make, kept)


def deleted(name: str, file: str) -> Edit:
    """Return an edit that deletes a file."""
    return Edit(
        name,
        make=lambda service: path(service, file).unlink(),
        kept=lambda service: not path(service, file).exists(),
        applies=lambda service: path(service, file).exists(),
    )


def made_executable(name: str, file: str) -> Edit:
    """Return an edit that makes a file executable."""
    return Edit(
        name,
        make=lambda service: path(service, file).chmod(0o755),
        kept=lambda service: bool(path(service, file).stat().st_mode & 0o100),
        applies=lambda service: path(service, file).exists(),
    )


def only(framework: str, one: Edit) -> Edit:
    """Restrict an edit to services with this framework."""
    return replace(one, applies=lambda service: answers(service)["framework"] == framework)


def reading_settings_with(library: str, one: Edit) -> Edit:
    """Restrict an edit to services that read their settings with this library; the oldest weren't asked."""
    return replace(one, applies=lambda service: answers(service).get("settings_library", "environ-config") == library)


def answers(service: Path) -> dict[str, str]:
    """Return a service's answers."""
    return yaml.safe_load((service / ".copier-answers.yml").read_bytes())


def path(service: Path, file: str) -> Path:
    """Return the path of a file; PACKAGE stands for the package's name."""
    return service / file.replace("PACKAGE", answers(service)["package_name"])


ROUTE = """
    @app.get("/hello")
    def hello() -> dict[str, str]:
        return {"hello": greeting("world")}
"""
ROUTE_TEST = """

def test_greets(client: FlaskClient) -> None:
    assert client.get("/hello").json == {"hello": "Hello, world!"}
"""
ASYNC_ROUTE = """@router.get("/hello")
async def hello() -> dict[str, str]:
    return {"hello": greeting("world")}


"""
ASYNC_ROUTE_TEST = """

def test_greets(client: TestClient) -> None:
    assert client.get("/hello").json() == {"hello": "Hello, world!"}
"""
VIEW = """

@require_safe
def hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hello": greeting("world")})
"""
VIEW_TEST = """

def test_greets(client: Client) -> None:
    assert client.get("/hello").json() == {"hello": "Hello, world!"}
"""
READINESS = """

def database() -> None:
    \"\"\"Raise an exception while there is no database.\"\"\"
    open(os.environ["DATABASE"]).close()


if "DATABASE" in os.environ:
    checks["database"] = database
"""

EDITS = [
    # Its code
    only(
        "flask",
        inserted(
            "a route",
            "src/PACKAGE/app.py",
            (r"(?<=from \.config import Config\n)", "from .greetings import greeting\n"),
            (r"(?=\n    return app\n)", ROUTE),
        ),
    ),
    only("flask", inserted("a test of the route", "tests/test_app.py", (r"\Z", ROUTE_TEST))),
    only(
        "fastapi",
        inserted(
            "an asynchronous route",
            "src/PACKAGE/app.py",
            (r"(?<=from \.config import Config\n)", "from .greetings import greeting\n"),
            (r"(?=@asynccontextmanager\n)", ASYNC_ROUTE),
        ),
    ),
    only(
        "fastapi",
        inserted(
            "a test of the asynchronous route",
            "tests/test_app.py",
            (
                r'list\(answer\["paths"\]\) == \["/"\]|"/" in (answer|response)\["paths"\]',
                '"/hello" in client.get("/openapi.json").json()["paths"]',
            ),
            (r"\Z", ASYNC_ROUTE_TEST),
        ),
    ),
    only("django", inserted("an address", "src/PACKAGE/urls.py", (r"(?=\]\n)", '    path("hello", views.hello),\n'))),
    only(
        "django",
        inserted(
            "a view",
            "src/PACKAGE/views.py",
            (r"(?<=import require_safe\n)", "\nfrom .greetings import greeting\n"),
            (r"\Z", VIEW),
        ),
    ),
    only("django", inserted("a test of the view", "tests/test_views.py", (r"\Z", VIEW_TEST))),
    added("a module", "src/PACKAGE/greetings.py", b'def greeting(name: str) -> str:\n    return f"Hello, {name}!"\n'),
    reading_settings_with(
        "environ-config",
        inserted("a setting", "src/PACKAGE/config.py", (r"\Z", '    greeting: str = environ.var("Hello")\n')),
    ),
    reading_settings_with(
        "pydantic-settings",
        inserted("a pydantic setting", "src/PACKAGE/config.py", (r"\Z", '    greeting: str = "Hello"\n')),
    ),
    inserted(
        "a readiness check", "src/PACKAGE/health.py", (r"(?=from collections)", "import os\n"), (r"\Z", READINESS)
    ),
    deleted("no example test", "tests/test_config.py"),
    # Its metadata and tools
    inserted("a version", "pyproject.toml", (r'version = "0\.1\.0"', 'version = "1.4.2"')),
    inserted("a dependency", "pyproject.toml", (r"(?<=\ndependencies = \[\n)", '    "anyascii>=0.3.3",\n')),
    inserted(
        "dependencies beside the server's",
        "pyproject.toml",
        (r'(?=    "(granian|gunicorn|pyuwsgi|uvicorn|uwsgi)>=)', '    "funcy>=2.0",\n'),
        (r"(?=\]\n\n\[dependency-groups\])", '    "zipp>=3.23",\n'),
    ),
    inserted("a development tool", "pyproject.toml", (r"(?<=\ndev = \[\n)", '    "iniconfig>=2",\n')),
    inserted("a rule for ruff", "pyproject.toml", (r'(?=    "F",)', '    "ERA", # code in comments\n')),
    inserted("another tool's settings", "pyproject.toml", (r"\Z", "\n[tool.ours]\nanswer = 42\n")),
    inserted("less coverage", "pyproject.toml", (r"fail_under = 100", "fail_under = 90")),
    # Its server and image
    inserted("a server's setting", "etc/uwsgi.ini", (r"\Z", "harakiri = 30\n")),
    inserted("a server's setting changed", "etc/uwsgi.ini", (r"buffer-size = 32768", "buffer-size = 65536")),
    added("a configuration file", "etc/nginx.conf", b"worker_processes 2;\n"),
    inserted("a base image", "Dockerfile", (r"ARG BASE_IMAGE=\S+", "ARG BASE_IMAGE=registry.example.com/base:1")),
    inserted("a package to build with", "Dockerfile", (r"(?<=    ca-certificates \\\n)", "    libpq-dev \\\n")),
    inserted("a package to run with", "Dockerfile", (r"(?=    \S+( \\)?\ngroupadd)", "    libpq5 \\\n")),
    inserted("a variable", "Dockerfile", (r"(?<=ENV PATH=/app/bin:\$PATH \\\n)", "    TZ=Europe/Berlin \\\n")),
    added("a test of the image", "tests/container/test_ours.py", b"def test_ours() -> None:\n    pass\n"),
    inserted("less in the build", ".dockerignore", (r"\Z", "**/*.sqlite3\n")),
    # Its repository
    inserted("more in the README", "README.md", (r"(?=## Test( it)?\n)", "## Who runs it\n\nThe team of Ada.\n\n")),
    inserted("more at the README's end", "README.md", (r"\Z", "\n## Who is on call\n\nThe team of Bob.\n")),
    inserted(
        "other words in the README", "README.md", (r"Ctrl-C\sstops (it|the server)\.", "Press Ctrl-C to stop it.")
    ),
    inserted("more ignored", ".gitignore", (r"\Z", "\n/*.sqlite3\n")),
    inserted("a rule for line ends", ".gitattributes", (r"\Z", "*.bat eol=crlf\n")),
    added("a file with CRLF", "run.bat", b"@echo off\r\nuv run pytest\r\n"),
    deleted("no direnv", ".envrc"),
    made_executable("a run bit", "tests/conftest.py"),
]
