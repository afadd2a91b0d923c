"""Every combination of platform, framework and server that the template offers."""

import platforms

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
