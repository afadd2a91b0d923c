"""What a service can be made of: platforms, frameworks and servers, and what each of them needs.

One row is all that a platform or a server takes, but for the server's own configuration in template/etc/: see
docs/extending.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePath

    from jinja2 import Environment


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Operating-system packages: those for compiling stay in the build stage. `{python}` is such as python3.13."""

    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Platform:
    """An operating system and the Python on it."""

    label: str
    base_image: str
    python: str
    packages: Packages = Packages(build=("{python}",), run=("{python}",))
    """What every service needs; nothing where Python is part of the image."""
    interpreter: str = "/usr/bin/{python}"

    @property
    def has_python(self) -> bool:
        """Say whether Python is part of the image, under /usr/local, as in Docker's official ones."""
        return self.interpreter.startswith("/usr/local/")

    def packages_for(self, server: Server) -> Packages:
        """Return all packages for a service that runs on this server."""

        def names(*packages: str) -> tuple[str, ...]:
            needed = [name for name in packages if not (self.has_python and "{python}" in name)]
            return tuple(name.format(python=f"python{self.python}") for name in needed)

        return Packages(
            build=names(*self.packages.build, *server.packages.build),
            run=names(*self.packages.run, *server.packages.run),
        )


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A web framework, and the interface that servers call it by."""

    label: str
    interface: str
    requirements: tuple[str, ...]
    dev_requirements: tuple[str, ...] = ()
    files: tuple[str, ...]
    """What a service starts from and then owns, with PACKAGE for its package: see `_exclude` in copier.yml."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server for Python web applications."""

    label: str
    name: str
    interfaces: tuple[str, ...]
    requirements: tuple[str, ...]
    packages: Packages = Packages()
    config: str
    """Its configuration in etc/."""
    command: str
    """What runs it in the service's folder, after `uv run`."""
    start: str
    """What runs it in the image, from the entry point."""
    threads: int | None = None
    """Requests that a WSGI worker serves at once, unless WEB_THREADS says otherwise."""
    answers: Mapping[str, str]
    """The statuses of requests that servers treat in different ways, for tests/container/: 0 where the connection is
    closed, empty where it stays open."""
    stopping: str = ""
    """What it logs when a stop begins, where a request that isn't complete is one in flight."""
    refusing: str = ""
    """What it logs when it refuses new connections, where it does so while requests are in flight."""
    at_once: str
    """How many requests it serves at once, and what it does with connections: for the service's README."""
    stop: str
    """What a stop does beyond finishing what is in flight."""
    limits: tuple[tuple[str, str], ...]
    """What comes, and what becomes of it."""
    logs: str = ""
    """What isn't logged in the shape of all else."""
    loggers: tuple[tuple[str, str], ...] = ()
    """Its loggers and their levels, for one that logs with Python's own library."""


# The first of each is the default.

PLATFORMS = {
    "debian-13": Platform(label="Debian 13, Python 3.13", base_image="debian:trixie-slim", python="3.13"),
    "debian-12": Platform(label="Debian 12, Python 3.11", base_image="debian:bookworm-slim", python="3.11"),
    "ubuntu-24.04": Platform(label="Ubuntu 24.04, Python 3.12", base_image="ubuntu:24.04", python="3.12"),
    "ubuntu-26.04": Platform(label="Ubuntu 26.04, Python 3.14", base_image="ubuntu:26.04", python="3.14"),
    "python-3.14": Platform(
        label="Docker's official Python image, Python 3.14",
        base_image="python:3.14-slim-trixie",
        python="3.14",
        interpreter="/usr/local/bin/{python}",
        packages=Packages(),
    ),
}
# Any image like Debian or Ubuntu: two questions ask for the rest.
OTHER = "other"
OTHER_LABEL = "Another base image, like Debian or Ubuntu"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

FRAMEWORKS = {
    "flask": Framework(
        label="Flask",
        interface="wsgi",
        requirements=("flask>=3.1.3",),
        files=("src/PACKAGE/app.py", "src/PACKAGE/config.py", "tests/test_app.py", "tests/test_config.py"),
    ),
    "django": Framework(
        label="Django",
        interface="wsgi",
        # The latest that runs on Python 3.11.
        requirements=("dj-database-url>=3.1.0", "django>=5.2.8", "whitenoise>=6.12.0"),
        dev_requirements=("django-stubs>=5.2.8", "pytest-django>=4.12.0"),
        files=(
            "src/PACKAGE/config.py",
            "src/PACKAGE/migrations/__init__.py",
            "src/PACKAGE/settings.py",
            "src/PACKAGE/urls.py",
            "src/PACKAGE/views.py",
            "tests/test_config.py",
            "tests/test_views.py",
        ),
    ),
    "fastapi": Framework(
        label="FastAPI",
        interface="asgi",
        requirements=("fastapi>=0.165.0", "pydantic>=2.14.3"),
        dev_requirements=("httpx2>=2.16.2",),
        files=("src/PACKAGE/app.py", "src/PACKAGE/config.py", "tests/test_app.py", "tests/test_config.py"),
    ),
}

# Their labels, of which a project can have no second.
DJANGO_APPS = {"admin", "auth", "contenttypes", "messages", "sessions", "staticfiles"}

SERVERS = {
    "uwsgi": Server(
        label="uWSGI (stable, but in maintenance mode)",
        name="uWSGI",
        interfaces=("wsgi",),
        requirements=("uwsgi>=2.0.31; sys_platform != 'win32'",),
        packages=Packages(
            build=("gcc", "libc6-dev", "libcrypt-dev", "libpcre2-dev", "{python}-dev"),
            run=("libpcre2-8-0", "lib{python}"),
        ),
        config="uwsgi.ini",
        command="uwsgi --ini etc/uwsgi.ini",
        start="uwsgi --ini /app/etc/uwsgi.ini",
        threads=1,
        answers={
            "a chunked body": "{411}",
            "a method in lower case": "{400}",
            "another server's address": "{400}",
            "a request that stops": "{CLOSED}",
            "TLS": "{CLOSED}",
        },
        stopping="graceful shutdown triggered",
        refusing="shutting down all sockets",
        at_once=(
            "as many requests at once as it has workers (times threads), and closes each connection after its answer"
        ),
        stop=(
            "New connections are refused as soon as a worker is free to do so, and those that wait in the queue are"
            " reset. A stop in the first moments, before there is anything to finish, ends with status 15 instead of 0."
        ),
        limits=(
            (
                "a request that takes over 60 s",
                "it is ended with its worker process, which is replaced; with `WEB_THREADS` over 1 so are its"
                " neighbours there",
            ),
            ("a worker that dies", "it is replaced within a second; its request is lost"),
            (
                "a worker that served 10,000 requests, or holds more than `WEB_MAX_RSS`",
                "it is replaced between two requests",
            ),
            ("what isn't HTTP: other characters in the address or the method, lengths that aren't numbers", "400"),
            ("cookies and headers over 32 kB", "the connection is closed"),
            (
                "a client that stays silent for 10 s in the middle of its request",
                "the connection is closed; until then it holds a worker",
            ),
        ),
        logs=(
            "uWSGI's messages are always at level `info`, and what it writes before it has read its settings is plain"
            " text on standard error. While nothing reads the log, uWSGI drops those that it can't keep, and doesn't count them."
        ),
    ),
    "gunicorn": Server(
        label="Gunicorn",
        name="Gunicorn",
        interfaces=("wsgi",),
        requirements=("gunicorn>=27.0.1; sys_platform != 'win32'",),
        config="gunicorn.conf.py",
        command="gunicorn --config etc/gunicorn.conf.py PACKAGE.INTERFACE",
        start="gunicorn --config /app/etc/gunicorn.conf.py --log-config-json /app/etc/logging.json PACKAGE.INTERFACE",
        threads=4,
        answers={
            "a chunked body": "{403, 405}",
            "a method in lower case": "{400}",
            "another server's address": "{200}",
            "a request that stops": "",
            "TLS": "",
        },
        stopping="Handling signal: ",
        at_once=(
            "as many requests at once as it has workers times threads, and keeps a connection open for 5 s after its"
            " last answer"
        ),
        stop=(
            "A client in the middle of sending its request counts as in flight. While there is one, new connections"
            " wait in the queue, and are reset in the end. A stop in the first second, before Gunicorn listens for"
            " signals, may be missed."
        ),
        limits=(
            (
                "a request that hangs",
                "it keeps its thread: Gunicorn ends no request, so give what you call a timeout",
            ),
            ("a worker that dies", "it is replaced; its requests are lost"),
            ("a worker that served 10,000 requests", "it is replaced, after those that it has"),
            ("what isn't HTTP", "400"),
            ("an address over 8 kB, where other servers take 30", "414"),
            ("a header over 32 kB, or more than 100 of them", "431"),
            (
                "a client that stays silent in the middle of its request",
                "it holds a thread until it goes, which Gunicorn can't limit: the proxy does",
            ),
        ),
        # The application logs its requests.
        loggers=(("gunicorn.error", "INFO"), ("gunicorn.access", "WARNING")),
    ),
    "granian": Server(
        label="Granian",
        name="Granian",
        interfaces=("wsgi", "asgi"),
        requirements=("granian>=2.8.7",),
        config="granian.env",
        command="--env-file etc/granian.env granian PACKAGE.INTERFACE:application",
        start="granian --log-config /app/etc/logging.json PACKAGE.INTERFACE:application",
        threads=4,
        answers={
            "a chunked body": "{405, 411}",
            "a method in lower case": "{200, 405}",
            "another server's address": "{200}",
            "a request that stops": "{CLOSED}",
            "TLS": "{400}",
        },
        at_once="{at_once}, and keeps a connection open for 10 s after its last answer",
        stop=(
            "A request that takes over 60 s more is cut off. A worker may miss a stop in the first seconds, while it"
            " starts{making_threads}: then it serves on, and is killed after these 60 s."
        ),
        limits=(
            (
                "a request that hangs",
                "it goes on: Granian ends no request, so give what you call a timeout",
            ),
            (
                "a worker of which all hangs",
                "the others don't take over: its share of new connections waits, and so do some probes",
            ),
            ("a worker that dies", "it is replaced; its requests are lost"),
            ("a worker that holds more than `WEB_MAX_RSS`", "it is replaced, after the requests that it has"),
            ("what isn't HTTP", "400"),
            ("headers over 400 kB, or more than 100 of them", "431"),
            (
                "a client that doesn't complete its headers in 10 s",
                "the connection is closed; until then it holds no worker",
            ),
        ),
        loggers=(("_granian", "INFO"),),
    ),
    "uvicorn": Server(
        label="Uvicorn",
        name="Uvicorn",
        interfaces=("asgi",),
        # asyncio leaves TCP_NODELAY off on the sockets that several workers share: each answer on a connection that is kept
        # would wait 40 ms. uvloop sets it.
        requirements=("uvicorn>=0.54.0", "uvloop>=0.23.0; sys_platform != 'win32'"),
        config="uvicorn.env",
        command="--env-file etc/uvicorn.env uvicorn PACKAGE.INTERFACE:application",
        start="uvicorn --log-config /app/etc/logging.json PACKAGE.INTERFACE:application",
        answers={
            "a chunked body": "{405}",
            "a method in lower case": "{405}",
            "another server's address": "{400, 404}",
            "a request that stops": "",
            "TLS": "{400}",
        },
        at_once="as many requests at once as come, and keeps a connection open for 5 s after its last answer",
        stop=(
            "A request that isn't complete isn't waited for. With `WEB_CONCURRENCY=1`, a stop ends with status 143"
            " instead of 0. A stop in the first second, before Uvicorn listens for signals, may be missed."
        ),
        limits=(
            (
                "a request that hangs",
                "it goes on: Uvicorn ends no request, so give what you call a timeout",
            ),
            ("a worker that dies", "it is replaced; its requests are lost"),
            ("a worker that served 10,000 requests", "it is replaced, after those that it has"),
            ("what isn't HTTP", "400"),
            ("headers over 64 kB that don't come at once", "400"),
            (
                "a client that stays silent in the middle of its request",
                "it keeps its connection, which Uvicorn can't limit, but no worker",
            ),
        ),
        loggers=(("uvicorn", "INFO"),),
    ),
}


def platform_choices() -> dict[str, str]:
    """Return what Copier offers as platforms."""
    return {platform.label: key for key, platform in PLATFORMS.items()} | {OTHER_LABEL: OTHER}


def framework_choices() -> dict[str, str]:
    """Return what Copier offers as frameworks."""
    return {framework.label: key for key, framework in FRAMEWORKS.items()}


def server_choices(framework: str) -> dict[str, str]:
    """Return what Copier offers as servers: those that can run the framework."""
    interface = FRAMEWORKS[framework].interface
    return {server.label: key for key, server in SERVERS.items() if interface in server.interfaces}


def stack(
    platform: str, framework: str, server: str, package_name: str, base_image: str = "", python_version: str = ""
) -> dict[str, object]:
    """Return what a service is made of, by the names that the template uses."""
    chosen = PLATFORMS.get(platform)
    if not chosen:
        chosen = Platform(label=OTHER_LABEL, base_image=base_image, python=python_version)
    framework_, server_ = FRAMEWORKS[framework], SERVERS[server]
    packages = chosen.packages_for(server_)
    threads = server_.threads if framework_.interface == "wsgi" else None

    def fill(text: str) -> str:
        text = text.replace(
            "{at_once}", "as many requests at once as " + ("it has workers times threads" if threads else "come")
        )
        text = text.replace("{making_threads}", ", or just when it makes another thread" if threads else "")
        return text.replace("PACKAGE", package_name).replace("INTERFACE", framework_.interface)

    return {
        "base_image": chosen.base_image,
        # What was built on one system may not run on another.
        "cache": platform if platform in PLATFORMS else base_image,
        "python": chosen.python,
        "has_python": chosen.has_python,
        "interpreter": chosen.interpreter.format(python=f"python{chosen.python}"),
        "packages": {"build": packages.build, "run": packages.run},
        "interface": framework_.interface,
        "framework": framework_.label,
        "files": [fill(file) for file in ("src/PACKAGE/__init__.py", *framework_.files)],
        "requirements": sorted(framework_.requirements + server_.requirements),
        "dev_requirements": framework_.dev_requirements,
        "server": server_.name,
        "config": server_.config,
        "command": fill(server_.command),
        "start": fill(server_.start),
        "threads": threads,
        "at_once": fill(server_.at_once),
        "stop": fill(server_.stop),
        "limits": server_.limits,
        "logs": server_.logs,
        "loggers": server_.loggers,
        "answers": server_.answers,
        "stopping": server_.stopping,
        "refusing": server_.refusing,
    }


def check_framework(framework: str, package_name: str, answers_file: PurePath) -> str:
    """Return why a package, whose last answers may be in a file, can't have this framework, or nothing."""
    if framework == "django" and package_name in DJANGO_APPS:
        return f'choose another package_name\nDjango has an app of its own called "{package_name}".'
    file = Path(answers_file)
    if not file.is_file():
        return ""
    before = re.search(r"^framework: (\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    if not before or before[1] == framework:
        return ""
    return f"start a new service\nA {before[1]} service can't become one of {framework}: its code would be another's."


def hidden_modules(package_name: str, service: PurePath) -> str:
    """Return, line by line, the modules of an example for Django in whose place a service has packages."""
    package = Path("src", package_name)
    names = ("settings", "urls", "views")
    return "\n".join(f"{package / name}.py" for name in names if Path(service, package, name).is_dir())


class PlatformsExtension(Extension):
    """The global `stack`, the choices of each question, and a check."""

    def __init__(self, environment: Environment) -> None:
        """Register the globals."""
        super().__init__(environment)
        environment.globals.update(
            stack=stack,
            platform_choices=platform_choices,
            framework_choices=framework_choices,
            server_choices=server_choices,
            pythons=PYTHONS,
        )
        environment.filters["check_framework"] = check_framework
        environment.filters["hidden_modules"] = hidden_modules
