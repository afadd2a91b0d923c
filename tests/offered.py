"""Every combination of platform, framework and server that the template offers."""

import platforms
from support import Service

PAIRS = [
    (framework, server) for framework in platforms.FRAMEWORKS for server in platforms.server_choices(framework).values()
]
# What another base image is asked for.
OTHER = {"base_image": "registry.example.com/base/debian:13.2", "python_version": "3.12"}
COMBINATIONS = [
    {"platform": platform, "framework": framework, "server": server} | (OTHER if platform == "other" else {})
    for platform in platforms.platform_choices().values()
    for framework, server in PAIRS
]


def can_be_compiled_here(platform: str, server: str) -> bool:
    """Say whether the server can be installed: uWSGI can't be linked to the Python 3.14 that tools/engine makes."""
    return platforms.PLATFORMS[platform].python != "3.14" or server != "uwsgi"


def install(service: Service, platform: str, server: str) -> Service:
    """Install a service, without its server where that can't be had; give it with what its commands then need."""
    if can_be_compiled_here(platform, server):
        service.run("uv sync --locked")
        return service
    service.run(f"uv sync --locked --no-install-package {server}")
    return Service(service.folder, {**service.env, "UV_NO_SYNC": "1"})
