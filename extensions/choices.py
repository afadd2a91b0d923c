"""What a service can be made of: platforms, frameworks and servers.

Their data and files lie in stacks/: see docs/how-to/extending.md.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

    from jinja2 import Environment

TEMPLATE = Path(__file__).resolve().parent.parent
FOLDER = TEMPLATE / "stacks"
# In the names of files, as in template/.
PACKAGE = "{{ package_name }}"
MODULE = "{{ module }}"
SUFFIX = ".jinja"

# Modules of every service that connect the application with the server, the proxy and the log. The template owns them.
PLUMBING = ("access", "bodies", "logs", "probes", "proxy")

# Any image like Debian or Ubuntu: two questions ask for the rest.
OTHER = "other"
OTHER_LABEL = "Another base image, like Debian or Ubuntu"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Operating-system packages: those for compiling stay in the build stage. `{python}` is such as python3.13."""

    build: Sequence[str] = ()
    run: Sequence[str] = ()


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
        """Say whether Python is part of the image, under /usr/local, as in Docker's official ones."""
        return self.interpreter.startswith("/usr/local/")

    def packages_for(self, server: Server) -> Packages:
        """Return all packages for a service that runs on this server."""

        def names(packages: Sequence[str]) -> tuple[str, ...]:
            needed = [name for name in ("{python}", *packages) if not (self.has_python and "{python}" in name)]
            return tuple(name.format(python=f"python{self.python}") for name in needed)

        return Packages(build=names(server.packages.build), run=names(server.packages.run))


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A web framework, as its framework.toml describes it."""

    order: int
    """Its place among the choices."""
    name: str
    label: str
    """What people choose it by."""
    interface: str
    """What servers call it by: wsgi or asgi."""
    requirements: Sequence[str]
    dev_requirements: Sequence[str] = ()
    owned: Sequence[str]
    """Files that a service starts from and then owns: see `_exclude` in copier.yml."""
    shared: Sequence[str] = ()
    """Files of stacks/shared/ that it takes."""
    module: str
    """The module of the service that the build of the image imports."""
    reload: str = ""
    """What the task `serve` runs, for a framework that has a server of its own."""
    routes: str
    """The module where routes and readiness checks belong."""
    views: str
    """The module of the index page."""
    test_module: str
    """The module of their tests."""
    upload_memory: str
    """The size over which an upload is kept in a temporary file."""
    required: Sequence[str] = ()
    """Variables that the image needs."""
    checked: Sequence[str] = ("src", "tests")
    """What mypy checks."""
    lint: Sequence[str] = ()
    """Lines for Ruff's list of rules."""
    first_steps: Sequence[str] = ()
    """Commands between the installation and the first start."""
    reserved: Sequence[str] = ()
    """Package names that it has a use of its own for."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the image sets."""


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What the tests of the container expect of a server: see template/tests/container/."""

    expected_status: Mapping[str, Sequence[int]]
    """The statuses of requests that servers treat in different ways: 0 where the connection is closed, none where it
    stays open."""
    starting: str = ""
    """What it logs when a stop before it serves is sure to be heard."""
    early_stop: Sequence[int] = (0, 137, 143)
    """Exit statuses of such a stop."""
    stop: Sequence[int] = (0,)
    """Exit statuses of any other stop."""
    stop_options: str = ""
    """What containers are started with whose stop has to wait for a slow client."""
    last_lines: int = 1
    """Lines at the end of the log among which the reason of a failed start is."""
    shutdown: str = ""
    """What it logs when a stop begins, where a request that isn't complete is one in flight."""
    refusal: str = ""
    """What it logs when it refuses new connections, where it does so while requests are in flight."""
    processes_of_one_worker: int = 1
    """Processes beside process 1 when there is one worker."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server for Python web applications, as its server.toml describes it."""

    order: int
    """Its place among the choices."""
    name: str
    label: str
    """What people choose it by."""
    interfaces: Sequence[str]
    requirements: Sequence[str]
    shared: Sequence[str] = ()
    """Files of stacks/shared/ that it takes."""
    config: str
    """Its configuration in etc/."""
    command: str
    """What runs it in the service's folder, after `uv run`."""
    start: str
    """What runs it in the image, from the entry point."""
    reload: str = ""
    """What the task `serve` runs, for a framework that has no server of its own."""
    threads: int | None = None
    """Requests that a WSGI worker serves at once, unless WEB_THREADS says otherwise."""
    max_rss: bool = False
    """Whether it replaces a worker that holds more memory than WEB_MAX_RSS."""
    reads_chunked: bool = False
    """Whether it says where a chunked body ends, and whether it is complete."""
    log_output: str = "sys.stdout"
    """What the application logs to, in Python."""
    loggers: Mapping[str, str] = field(default_factory=dict)
    """Its loggers and their levels, for one that logs with Python's own library."""
    packages: Packages = Packages()
    tests: Expectations


Row = TypeVar("Row", Platform, Framework, Server)


def read(kind: type[Row], data: Mapping[str, Any], file: Path) -> Row:
    """Make a row of the table that a file holds.

    Raises:
        ValueError: The file has a name that the row doesn't, or lacks one.
    """
    if unknown := data.keys() - {known.name for known in fields(kind)}:
        raise ValueError(f"{file}: no {kind.__name__.lower()} has {', '.join(sorted(unknown))}")
    nested = {"packages": Packages, "tests": Expectations}
    try:
        return kind(**{name: nested[name](**value) if name in nested else value for name, value in data.items()})
    except TypeError as error:
        raise ValueError(f"{file}: {error}") from None


def read_folder(kind: type[Row], pattern: str) -> dict[str, Row]:
    """Read the file of each framework or server, in the order of the choices."""
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


def make_stack(
    platform: str, framework: str, server: str, package_name: str, base_image: str = "", python_version: str = ""
) -> dict[str, object]:
    """Return what a service is made of, by the names that the template uses."""
    chosen = PLATFORMS.get(platform)
    if not chosen:
        chosen = Platform(label=OTHER_LABEL, base_image=base_image, python=python_version)
    framework_, server_ = FRAMEWORKS[framework], SERVERS[server]
    interface = framework_.interface
    packages = chosen.packages_for(server_)

    def fill(text: str) -> str:
        return text.replace(PACKAGE, package_name).replace(MODULE, f"{package_name}.{interface}")

    return {
        "base_image": chosen.base_image,
        # What was built on one system may not run on another.
        "cache": platform if platform in PLATFORMS else base_image,
        "python": chosen.python,
        "has_python": chosen.has_python,
        "interpreter": chosen.interpreter,
        "packages": {"build": packages.build, "run": packages.run},
        "interface": interface,
        "interface_folder": f"stacks/interfaces/{interface}",
        "requirements": sorted((*framework_.requirements, *server_.requirements)),
        "dev_requirements": framework_.dev_requirements,
        "reload": fill(framework_.reload or server_.reload),
        "threads": server_.threads if interface == "wsgi" else None,
        "owned": [fill(file) for file in (f"src/{PACKAGE}/__init__.py", *framework_.owned)],
        "plumbing": sorted((*PLUMBING, *(["hosts"] if f"src/{PACKAGE}/hosts.py" in framework_.shared else []))),
        "files": [
            {"path": fill(path), "source": source}
            for path, source in sorted(files(framework_, framework, server_, server))
        ],
        "framework": {
            "folder": f"stacks/frameworks/{framework}",
            "module": framework_.module,
            "checked": framework_.checked,
            "lint": framework_.lint,
            "first_steps": framework_.first_steps,
            "routes": framework_.routes,
            "views": framework_.views,
            "test_module": framework_.test_module,
            "upload_memory": framework_.upload_memory,
            "required": framework_.required,
            "environment": {name: fill(text) for name, text in framework_.environment.items()},
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
    """Return statuses as a set in Python, or nothing."""
    return "{" + ", ".join(str(status or "CLOSED") for status in given) + "}" if given else ""


def comparison(given: Sequence[int]) -> str:
    """Return what in Python compares an exit status with those that are given."""
    return f"== {given[0]}" if len(given) == 1 else "in {" + ", ".join(map(str, given)) + "}"


def files(framework: Framework, framework_name: str, server: Server, server_name: str) -> list[tuple[str, str]]:
    """Return the paths of what the choices bring, as in template/, and their sources."""
    found = [(path, f"stacks/shared/{path}") for path in (*framework.shared, *server.shared)]
    for choice in (f"interfaces/{framework.interface}", f"frameworks/{framework_name}", f"servers/{server_name}"):
        folder = FOLDER / choice / "files"
        for file in folder.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                path = file.relative_to(folder).as_posix().removesuffix(SUFFIX)
                found.append((path, file.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX)))
    return [
        (path, f"{source}{SUFFIX}" if Path(TEMPLATE, source + SUFFIX).exists() else source) for path, source in found
    ]


def source_text(source: str) -> str:
    """Return a file of the template as it is."""
    return (TEMPLATE / source).read_text(encoding="utf-8")


def check_reserved(package_name: str, framework: str) -> str:
    """Return why a package of a service with this framework can't have this name, or nothing."""
    if package_name not in FRAMEWORKS[framework].reserved:
        return ""
    other, name = unreserved(package_name, framework), FRAMEWORKS[framework].name
    return f'write {other}\n{name} has an app of its own called "{package_name}".'


def unreserved(package_name: str, framework: str) -> str:
    """Return a name for the package that the framework has no use of its own for."""
    return f"{package_name}_app" if package_name in FRAMEWORKS[framework].reserved else package_name


def check_framework(framework: str, answers_file: PurePath) -> str:
    """Return why a service, whose last answers may be in a file, can't have this framework, or nothing."""
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


class ChoicesExtension(Extension):
    """The global `make_stack`, the choices of each question, and filters."""

    def __init__(self, environment: Environment) -> None:
        """Register the globals and filters."""
        super().__init__(environment)
        environment.globals.update(
            make_stack=make_stack,
            platform_choices=platform_choices,
            framework_choices=framework_choices,
            server_choices=server_choices,
            pythons=PYTHONS,
        )
        environment.filters["check_framework"] = check_framework
        environment.filters["check_reserved"] = check_reserved
        environment.filters["unreserved"] = unreserved
        environment.filters["hidden_modules"] = hidden_modules
        environment.filters["source_text"] = source_text
