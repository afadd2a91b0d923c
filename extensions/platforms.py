"""What a service can be made of: platforms, frameworks and servers, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Operating-system packages: those for compiling stay in the build stage."""

    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Platform:
    """An operating system with its own Python."""

    label: str
    base_image: str
    python: str
    interpreter: str
    packages: Packages
    """What every service needs."""
    server_packages: Mapping[str, Packages] = field(default_factory=dict)
    """What a server needs beyond that; one that isn't named needs nothing."""

    def packages_for(self, server: str) -> Packages:
        """Return all packages for a service that runs on this server."""
        more = self.server_packages.get(server, Packages())
        return Packages(build=self.packages.build + more.build, run=self.packages.run + more.run)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A web framework, and the interface that servers call it by."""

    label: str
    interface: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server for Python web applications, and the interfaces that it can call."""

    label: str
    interfaces: tuple[str, ...]
    requirements: tuple[str, ...]


# The first of each is the default.

PLATFORMS = {
    "debian-13": Platform(
        label="Debian 13, Python 3.13",
        base_image="debian:trixie-slim",
        python="3.13",
        interpreter="/usr/bin/python3.13",
        packages=Packages(build=("python3.13",), run=("python3.13",)),
        server_packages={
            "uwsgi": Packages(
                build=("gcc", "libc6-dev", "libpcre2-dev", "python3.13-dev"), run=("libpcre2-8-0", "libpython3.13")
            )
        },
    )
}

FRAMEWORKS = {"flask": Framework(label="Flask", interface="wsgi", requirements=("flask>=3.1.3",))}

SERVERS = {
    "uwsgi": Server(
        label="uWSGI (stable, but in maintenance mode)",
        interfaces=("wsgi",),
        requirements=("uwsgi>=2.0.31; sys_platform != 'win32'",),
    )
}


def platform_choices() -> dict[str, str]:
    """Return what Copier offers as platforms."""
    return {platform.label: key for key, platform in PLATFORMS.items()}


def framework_choices() -> dict[str, str]:
    """Return what Copier offers as frameworks."""
    return {framework.label: key for key, framework in FRAMEWORKS.items()}


def server_choices(framework: str) -> dict[str, str]:
    """Return what Copier offers as servers: those that can run the framework."""
    interface = FRAMEWORKS[framework].interface
    return {server.label: key for key, server in SERVERS.items() if interface in server.interfaces}


class PlatformsExtension(Extension):
    """The globals `platforms`, `frameworks` and `servers`, and a function for the choices of each."""

    def __init__(self, environment: Environment) -> None:
        """Register the globals."""
        super().__init__(environment)
        environment.globals.update(
            platforms=PLATFORMS,
            frameworks=FRAMEWORKS,
            servers=SERVERS,
            platform_choices=platform_choices,
            framework_choices=framework_choices,
            server_choices=server_choices,
        )
