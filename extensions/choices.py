"""The platforms, frameworks, servers, databases and job queues that a service can use.

Their data and files are in stacks/: see docs/how-to/extending.md.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import PurePath

    from jinja2 import Environment

TEMPLATE = Path(__file__).resolve().parent.parent
FOLDER = TEMPLATE / "stacks"
# Placeholders in file names, as in template/.
PACKAGE = "{{ package_name }}"
MODULE = "{{ module }}"
SUFFIX = ".jinja"

# Modules of every service that connect the application with the server, the proxy and the log. The template owns them.
PLUMBING = ("access", "bodies", "logs", "probes", "proxy")

# A custom base image, derived from Debian or Ubuntu: two more questions ask for the image and its Python.
OTHER = "other"
OTHER_LABEL = "Another base image, like Debian or Ubuntu"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """An operating system and the Python on it, as stacks/platforms.toml describes it."""

    label: str
    base_image: str
    python: str
    interpreter: str = ""

    def __post_init__(self) -> None:
        if not self.interpreter:
            object.__setattr__(self, "interpreter", f"/usr/bin/python{self.python}")

    @property
    def has_python(self) -> bool:
        """Return whether the image has Python in /usr/local, as Docker's official ones do."""
        return self.interpreter.startswith("/usr/local/")

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the system packages that a service needs, in the build stages and in the runtime image."""
        return () if self.has_python else (f"python{self.python}",)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A web framework, as its framework.toml describes it."""

    order: int
    """Its position in the menu."""
    name: str
    label: str
    """Its text in the menu."""
    interface: str
    """The interface between server and application: wsgi or asgi."""
    orm: str = ""
    """The library for a database, if it can have one: sqlalchemy or django."""
    requirements: Sequence[str]
    preload: Sequence[str]
    """Modules that are imported before the server forks its workers: see template/etc/preload.py.jinja."""
    dev_requirements: Sequence[str] = ()
    owned: Sequence[str]
    """Files that only a copy writes, so that updates never change them: see `_exclude` in copier.yml."""
    shared: Sequence[str] = ()
    """Files of stacks/shared/ that it uses."""
    module: str
    """The module of the service that the image build imports, to fail early."""
    reload: str = ""
    """The command of the task `serve`, for a framework that has its own development server."""
    routes: str
    """The module for routes and readiness checks."""
    views: str
    """The module of the index page."""
    test_module: str
    """The module that tests routes and views."""
    upload_memory: str
    """The size above which uploads are kept in temporary files."""
    required: Sequence[str] = ()
    """Environment variables that the image requires."""
    checked: Sequence[str] = ("src", "tests")
    """Files and folders that mypy checks."""
    lint: Sequence[str] = ()
    """Additional lines in Ruff's list of rules."""
    settings: Sequence[str] = ("environ-config",)
    """The libraries that can read a service's settings, in stacks/settings/. New services get the first; those that were
    made before there was a choice have the last."""
    first_steps: Sequence[str] = ()
    """Commands between the installation and the first start."""
    reserved: Sequence[str] = ()
    """Package names that the framework uses itself."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the image sets."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A library that reads a service's settings from the environment, as its settings.toml describes it."""

    requirements: Sequence[str]
    preload: Sequence[str] = ()
    """Modules that are imported before the server forks its workers."""
    read: str
    """The expression that reads them."""
    module: str = ""
    """What this imports, beside Config."""
    plumbing: Sequence[str] = ()
    """Modules that it adds to those of the template."""
    secret: str
    """The type of a setting that is never shown."""
    mypy_plugin: str = ""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a service with a certain framework needs in order to use a database or a job queue."""

    requirements: Sequence[str] = ()
    preload: Sequence[str] = ()
    """Modules that are imported before the server forks its workers."""
    plumbing: Sequence[str] = ()
    """Modules that the template owns, with their tests."""
    first_steps: Sequence[str] = ()
    """Commands after the framework's first steps."""
    owned: Sequence[str] = ()
    """Files that only a copy writes, in addition to the framework's."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """What a service can have in addition."""

    label: str
    """Its text in the menu."""
    requirements: Sequence[str] = ()
    dev_requirements: Sequence[str] = ()
    required: Sequence[str] = ()
    """Environment variables that the image requires."""
    first_steps: Sequence[str] = ()
    """Commands between the installation and the framework's first steps."""
    frameworks: Mapping[str, Use]
    """What each framework needs in addition."""

    def use(self, framework: str) -> Use:
        """Return what that framework needs."""
        return self.frameworks.get(framework, Use())


class Database(Extra):
    """A database, as its database.toml describes it."""


class Jobs(Extra):
    """A queue of jobs in a database, as its jobs.toml describes it."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """An orchestrator that the service is deployed to, as its deploy.toml describes it."""

    label: str
    """Its text in the menu."""
    plumbing: Sequence[str] = ()
    """Modules that the template owns, with their tests, in a service with a database."""
    owned: Sequence[str] = ()
    """Files that only a copy writes."""
    seconds: Mapping[str, int]
    """What its manifests are computed from: pause, request, job, spare."""


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What the tests of the container expect of a server: see template/tests/container/."""

    expected_status: Mapping[str, Sequence[int]]
    """The statuses of requests that servers treat differently: 0 if the server closes the connection, empty if it keeps
    it open."""
    starting: str = ""
    """A log message after which the starting server handles SIGTERM."""
    early_stop: Sequence[int] = (0, 137, 143)
    """Exit statuses of a stop during the start."""
    stop: Sequence[int] = (0,)
    """Exit statuses of any other stop."""
    stop_options: str = ""
    """Additional arguments for containers in tests where a stop waits for a slow client."""
    last_lines: int = 1
    """The number of lines at the end of the log, one of which has the reason of a failed start."""
    shutdown: str = ""
    """The log message at the beginning of a stop, if incomplete requests count as in flight."""
    refusal: str = ""
    """The log message when it refuses new connections, if it does so while requests are in flight."""
    processes_of_one_worker: int = 1
    """The number of processes besides process 1 when there is one worker."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server for Python web applications, as its server.toml describes it."""

    order: int
    """Its position in the menu."""
    name: str
    label: str
    """Its text in the menu."""
    interfaces: Sequence[str]
    requirements: Sequence[str]
    preload: Sequence[str] = ()
    """Modules that are imported before it forks its workers, unless it imports them itself."""
    shared: Sequence[str] = ()
    """Files of stacks/shared/ that it uses."""
    config: str
    """The name of its configuration file in etc/."""
    command: str
    """The command that starts it in the service's folder, after `uv run`."""
    start: str
    """The command with which the image's entry point starts it."""
    reload: str = ""
    """The command of the task `serve`, for a framework without a development server."""
    threads: int | None = None
    """The default of WEB_THREADS: concurrent requests of a WSGI worker."""
    draining: str = "header"
    """How clients are told not to send another request on their connection, before a stop: by the application's header,
    by the server's configuration ("server"), or not at all, if each connection ends after its response ("").
    """
    max_rss: bool = False
    """Whether it replaces a worker that uses more memory than WEB_MAX_RSS."""
    reads_chunked: bool = False
    """Whether it reports where a chunked body ends, and whether it is complete."""
    log_output: str = "sys.stdout"
    """The Python expression for the stream that the application logs to."""
    loggers: Mapping[str, str] = field(default_factory=dict)
    """The levels of its loggers, if it uses Python's logging module."""
    tests: Expectations


Row = TypeVar("Row", Platform, Framework, Settings, Database, Jobs, Deployment, Server)


def read(kind: type[Row], data: Mapping[str, Any], file: Path) -> Row:
    """Create a row of *kind* from the *data* of a TOML file.

    Raises:
        ValueError: A field is unknown or missing.
    """
    if unknown := data.keys() - {known.name for known in fields(kind)}:
        raise ValueError(f"{file}: no {kind.__name__.lower()} has {', '.join(sorted(unknown))}")
    nested: Mapping[str, Callable[[Any], Any]] = {
        "tests": lambda value: Expectations(**value),
        "frameworks": lambda value: {name: Use(**use) for name, use in value.items()},
    }
    try:
        return kind(**{name: nested[name](value) if name in nested else value for name, value in data.items()})
    except TypeError as error:
        raise ValueError(f"{file}: {error}") from None


def read_folder(kind: type[Row], pattern: str) -> dict[str, Row]:
    """Read the TOML file of each framework or server, in the order of the menu."""
    rows = {
        file.parent.name: read(kind, tomllib.loads(file.read_text(encoding="utf-8")), file)
        for file in FOLDER.glob(pattern)
    }
    return dict(sorted(rows.items(), key=lambda item: item[1].order))


def read_platforms(file: Path) -> dict[str, Platform]:
    """Read stacks/platforms.toml."""
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {name: read(Platform, data, file) for name, data in tables.items()}


# The first of each is the default.
PLATFORMS = read_platforms(FOLDER / "platforms.toml")
FRAMEWORKS = read_folder(Framework, "frameworks/*/framework.toml")
SERVERS = read_folder(Server, "servers/*/server.toml")
SETTINGS = {
    file.parent.name: read(Settings, tomllib.loads(file.read_text(encoding="utf-8")), file)
    for file in FOLDER.glob("settings/*/settings.toml")
}
DATABASES = {
    file.parent.name: read(Database, tomllib.loads(file.read_text(encoding="utf-8")), file)
    for file in FOLDER.glob("databases/*/database.toml")
}
JOBS = {
    file.parent.name: read(Jobs, tomllib.loads(file.read_text(encoding="utf-8")), file)
    for file in FOLDER.glob("jobs/*/jobs.toml")
}
DEPLOYMENTS = {
    file.parent.name: read(Deployment, tomllib.loads(file.read_text(encoding="utf-8")), file)
    for file in FOLDER.glob("deploy/*/deploy.toml")
}
NONE = "none"


def platform_choices() -> dict[str, str]:
    """Return the choices for the platform, by label."""
    return {platform.label: key for key, platform in PLATFORMS.items()} | {OTHER_LABEL: OTHER}


def framework_choices() -> dict[str, str]:
    """Return the choices for the framework, by label."""
    return {framework.label: key for key, framework in FRAMEWORKS.items()}


def server_choices(framework: str) -> dict[str, str]:
    """Return the choices for the server, by label: those that support the framework's interface."""
    interface = FRAMEWORKS[framework].interface
    return {server.label: key for key, server in SERVERS.items() if interface in server.interfaces}


def database_choices(framework: str) -> dict[str, str]:
    """Return the choices for the database, by label: those that the framework can use."""
    return {"None, or one that you connect yourself": NONE} | {
        database.label: key for key, database in DATABASES.items() if framework in database.frameworks
    }


def jobs_choices(framework: str) -> dict[str, str]:
    """Return the choices for jobs, by label: those that the framework can use."""
    return {"None": NONE} | {jobs.label: key for key, jobs in JOBS.items() if framework in jobs.frameworks}


def deploy_choices() -> dict[str, str]:
    """Return the choices for the deployment, by label."""
    return {"None": NONE} | {deployment.label: key for key, deployment in DEPLOYMENTS.items()}


def settings_choices(framework: str) -> Sequence[str]:
    """Return the libraries that can read the settings of a service with this framework."""
    return FRAMEWORKS[framework].settings


def default_settings(framework: str, answers_file: PurePath) -> str:
    """Return the library for a new service, or the one of a service that was made before there was a choice."""
    return settings_choices(framework)[-1 if Path(answers_file).is_file() else 0]


def make_stack(
    platform: str,
    framework: str,
    server: str,
    package_name: str,
    base_image: str = "",
    python_version: str = "",
    settings_library: str = "",
    database: str = NONE,
    jobs: str = NONE,
    deploy: str = NONE,
) -> dict[str, object]:
    """Return all that the template needs about what was chosen."""
    chosen = PLATFORMS.get(platform)
    if not chosen:
        chosen = Platform(label=OTHER_LABEL, base_image=base_image, python=python_version)
    framework_, server_ = FRAMEWORKS[framework], SERVERS[server]
    settings_library = settings_library or framework_.settings[0]
    settings = SETTINGS[settings_library]
    interface, orm = framework_.interface, framework_.orm
    extras = [extra for extra in (DATABASES.get(database), JOBS.get(jobs)) if extra]
    uses = [extra.use(framework) for extra in extras]
    deployment = DEPLOYMENTS.get(deploy)
    seconds = deployment.seconds if deployment else {}

    def collect(rows: Sequence[Extra] | Sequence[Use], attribute: str) -> list[str]:
        return [item for row in rows for item in getattr(row, attribute)]

    def fill(text: str) -> str:
        return text.replace(PACKAGE, package_name).replace(MODULE, f"{package_name}.{interface}")

    return {
        "base_image": chosen.base_image,
        # Each system has its own cache: a package that was built on one may not run on another.
        "cache": platform if platform in PLATFORMS else base_image,
        "python": chosen.python,
        "has_python": chosen.has_python,
        "interpreter": chosen.interpreter,
        "packages": list(chosen.packages),
        "interface": interface,
        "interface_folder": f"stacks/interfaces/{interface}",
        "requirements": sorted(
            (
                *framework_.requirements,
                *server_.requirements,
                *settings.requirements,
                *collect(extras, "requirements"),
                *collect(uses, "requirements"),
            )
        ),
        "preload": sorted(
            {"structlog", *framework_.preload, *server_.preload, *settings.preload, *collect(uses, "preload")}
        ),
        "dev_requirements": [*framework_.dev_requirements, *collect(extras, "dev_requirements")],
        "reload": fill(framework_.reload or server_.reload),
        "threads": server_.threads if interface == "wsgi" else None,
        # A worker that serves one request at a time waits more than it computes: docs/evidence/workers.md.
        "workers_per_cpu": 4 if interface == "wsgi" and server_.threads == 1 else 2,
        "owned": [
            fill(file)
            for file in (
                f"src/{PACKAGE}/__init__.py",
                *framework_.owned,
                *collect(uses, "owned"),
                *(deployment.owned if deployment else ()),
            )
        ],
        "plumbing": sorted(
            (
                *PLUMBING,
                *settings.plumbing,
                *collect(uses, "plumbing"),
                *(deployment.plumbing if deployment and database in DATABASES else ()),
                *(["hosts"] if f"src/{PACKAGE}/hosts.py" in framework_.shared else []),
            )
        ),
        "files": [
            {"path": fill(path), "source": source}
            for path, source in sorted(
                files(framework_, framework, server_, server, settings_library, database, jobs, deploy).items()
            )
        ],
        "framework": {
            "folder": f"stacks/frameworks/{framework}",
            "module": framework_.module,
            "checked": framework_.checked,
            "lint": framework_.lint,
            "first_steps": [
                fill(command)
                for command in (
                    *collect(extras, "first_steps"),
                    *framework_.first_steps,
                    *collect(uses, "first_steps"),
                )
            ],
            "routes": framework_.routes,
            "views": framework_.views,
            "test_module": framework_.test_module,
            "upload_memory": framework_.upload_memory,
            "required": sorted({*framework_.required, *collect(extras, "required")}, reverse=True),
            "environment": {name: fill(text) for name, text in framework_.environment.items()},
        },
        # Files of these are included where they exist: of "none", none does.
        "database": {
            "name": database if database in DATABASES else "",
            "folder": f"stacks/databases/{database}",
            "orm": orm,
            "orm_folder": f"stacks/databases/{database}/{orm}",
            "framework_folder": f"stacks/databases/{database}/{framework}",
        },
        "jobs": {
            "name": jobs if jobs in JOBS else "",
            "folder": f"stacks/jobs/{jobs}",
            "orm_folder": f"stacks/jobs/{jobs}/{orm}",
            "framework_folder": f"stacks/jobs/{jobs}/{framework}",
        },
        "deploy": {
            "name": deploy if deployment else "",
            "folder": f"stacks/deploy/{deploy}",
            "orm_folder": f"stacks/deploy/{deploy}/{orm}",
            "draining": server_.draining if deployment else "",
            "seconds": seconds,
            "grace": sum(seconds.get(name, 0) for name in ("pause", "request", "spare")),
            "worker_grace": sum(seconds.get(name, 0) for name in ("job", "spare")),
        },
        "settings": {
            "folder": f"stacks/settings/{settings_library}",
            "module": settings.module,
            "read": settings.read,
            "secret": settings.secret,
            "mypy_plugin": settings.mypy_plugin,
        },
        "server": {
            "name": server_.name,
            "folder": f"stacks/servers/{server}",
            "config": server_.config,
            "command": fill(server_.command),
            "start": fill(server_.start),
            "max_rss": server_.max_rss,
            "reads_chunked": server_.reads_chunked,
            "log_output": server_.log_output,
            "loggers": server_.loggers,
        },
        "tests": {
            "expected_status": {name: statuses(given) for name, given in server_.tests.expected_status.items()},
            "starting": server_.tests.starting,
            "early_stop": comparison(server_.tests.early_stop),
            "stop": comparison(server_.tests.stop),
            "stop_options": server_.tests.stop_options,
            "last_lines": server_.tests.last_lines,
            "shutdown": server_.tests.shutdown,
            "refusal": server_.tests.refusal,
            "processes_of_one_worker": server_.tests.processes_of_one_worker,
        },
    }


def statuses(given: Sequence[int]) -> str:
    """Return Python code for a set of statuses, or an empty string."""
    return "{" + ", ".join(str(status or "CLOSED") for status in given) + "}" if given else ""


def comparison(given: Sequence[int]) -> str:
    """Return Python code that compares an exit status with those that are *given*."""
    return f"== {given[0]}" if len(given) == 1 else "in {" + ", ".join(map(str, given)) + "}"


def files(
    framework: Framework,
    framework_name: str,
    server: Server,
    server_name: str,
    settings_name: str,
    database: str,
    jobs: str,
    deploy: str,
) -> dict[str, str]:
    """Return the path and the source of each file that the choices add to a service."""
    found = {path: f"stacks/shared/{path}" for path in (*framework.shared, *server.shared)}
    for choice in (
        f"interfaces/{framework.interface}",
        f"settings/{settings_name}",
        f"frameworks/{framework_name}",
        f"databases/{database}",
        f"databases/{database}/{framework.orm}",
        f"databases/{database}/{framework_name}",
        f"jobs/{jobs}",
        f"jobs/{jobs}/{framework_name}",
        f"deploy/{deploy}",
        *([f"deploy/{deploy}/database"] if database in DATABASES else []),
        *([f"deploy/{deploy}/jobs"] if jobs in JOBS else []),
        f"servers/{server_name}",
    ):
        folder = FOLDER / choice / "files"
        for file in folder.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                path = file.relative_to(folder).as_posix().removesuffix(SUFFIX)
                found[path] = file.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX)
    return {
        path: f"{source}{SUFFIX}" if Path(TEMPLATE, source + SUFFIX).exists() else source
        for path, source in found.items()
    }


def source_text(source: str) -> str:
    """Return the text of a file in the template, unrendered."""
    return (TEMPLATE / source).read_text(encoding="utf-8")


def check_reserved(package_name: str, framework: str) -> str:
    """Return why a service with this framework can't use this package name, or an empty string."""
    if package_name not in FRAMEWORKS[framework].reserved:
        return ""
    other, name = unreserved(package_name, framework), FRAMEWORKS[framework].name
    return f'write {other}\n{name} has an app of its own called "{package_name}".'


def unreserved(package_name: str, framework: str) -> str:
    """Return the package name, with a suffix if the framework uses it itself."""
    return f"{package_name}_app" if package_name in FRAMEWORKS[framework].reserved else package_name


def check_jobs(jobs: str, database: str) -> str:
    """Return why a service can't have these jobs, or an empty string."""
    if jobs == NONE or database != NONE:
        return ""
    return f"answer database=postgresql, too\n{JOBS[jobs].label.partition(':')[0]} keeps the jobs in a database."


def check_framework(framework: str, answers_file: PurePath) -> str:
    """Return why a service can't change to this framework, or an empty string; *answers_file* may not exist yet."""
    file = Path(answers_file)
    if not file.is_file():
        return ""
    before = re.search(r"^framework: (\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    if not before or before[1] == framework:
        return ""
    return f"start a new service\nA {before[1]} service can't change to {framework}: its code depends on the framework."


def hidden_modules(package_name: str, service: PurePath) -> str:
    """Return, one per line, the modules of Django's example that packages of the service with the same names hide."""
    package = Path("src", package_name)
    names = ("settings", "urls", "views")
    return "\n".join(f"{package / name}.py" for name in names if Path(service, package, name).is_dir())


class ChoicesExtension(Extension):
    """The global `make_stack`, the choices for questions, and filters."""

    def __init__(self, environment: Environment) -> None:
        """Register the globals and filters."""
        super().__init__(environment)
        environment.globals.update(
            make_stack=make_stack,
            platform_choices=platform_choices,
            framework_choices=framework_choices,
            server_choices=server_choices,
            settings_choices=settings_choices,
            database_choices=database_choices,
            jobs_choices=jobs_choices,
            deploy_choices=deploy_choices,
            pythons=PYTHONS,
        )
        environment.filters["check_framework"] = check_framework
        environment.filters["default_settings"] = default_settings
        environment.filters["check_jobs"] = check_jobs
        environment.filters["check_reserved"] = check_reserved
        environment.filters["unreserved"] = unreserved
        environment.filters["hidden_modules"] = hidden_modules
        environment.filters["source_text"] = source_text
