"""Rate and latency of the servers, each with its defaults, with and without a reverse proxy."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from common import base_images, build, docker, scaffold
from images import DOCKERFILES, FROM_SOURCE, GUNICORN, WHEEL, add_metadata, first_200
from machine import say

SECONDS = 2
# Requests on that many connections at once, what is unusual about them, and the page.
LOADS = {
    "1 connection": (1, "", "/"),
    "16 connections": (16, "", "/"),
    "256 connections": (256, "", "/"),
    "16, and 50 idle": (16, "idle", "/"),
    "16, 5 % slow": (16, "slow", "/"),
}
IDLE = 50
# For wrk: every twentieth request is for the slow page.
SLOW = """
local count = 0
request = function()
  count = count + 1
  return wrk.format(nil, count % 20 == 0 and "/slow" or "/")
end
"""
# The access log's share: the same image with lines for requests, and without.
LOGS = {"with access log": "INFO", "without": "WARNING"}
# The same without a server, in one process: seconds for a request with its line, and without.
IN_PROCESS = """
import json, logging, sys, time
from wsgiref.util import setup_testing_defaults
from my_service.wsgi import application

environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_USER_AGENT": "wrk"}
setup_testing_defaults(environ)

def seconds(level, requests=500):
    logging.getLogger("my_service.access").setLevel(level)
    started = time.perf_counter()
    for _ in range(requests):
        response = application(dict(environ), lambda *_: None)
        b"".join(response)
        response.close()
    return (time.perf_counter() - started) / requests

seconds("INFO")
json.dump([(seconds("INFO"), seconds("WARNING")) for _ in range(20)], sys.stderr)
"""

# Pages for any framework: /work is realistic (it waits 20 ms, as for a database, computes a little and responds with
# JSON), /slow waits 200 ms.
PAGES = {
    "wsgi": """

inner = application


def application(environ, start_response):
    import json
    import time

    if environ["PATH_INFO"] not in ("/work", "/slow"):
        return inner(environ, start_response)
    time.sleep(0.02 if environ["PATH_INFO"] == "/work" else 0.2)
    body = json.dumps({"sum": sum(n * n for n in range(1000)), "items": list(range(100))}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
""",
    "asgi": """

inner = application


async def application(scope, receive, send):
    import asyncio
    import json

    if scope.get("path") not in ("/work", "/slow"):
        return await inner(scope, receive, send)
    await asyncio.sleep(0.02 if scope["path"] == "/work" else 0.2)
    body = json.dumps({"sum": sum(n * n for n in range(1000)), "items": list(range(100))}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
""",
}

TOOLS = "benchmark-tools"
TOOLS_DOCKERFILE = """\
FROM {base}
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \\
    apt-get update && apt-get install --yes --no-install-recommends nginx-light wrk
"""
# As in nginx's documentation, with connections to the service that stay open:
# https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive
NGINX = """\
daemon off;
error_log /dev/stderr;
pid /tmp/nginx.pid;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  upstream service {{ server {host}:{port}; keepalive 32; }}
  server {{
    listen 8080;
    location / {{
      {forward}
    }}
  }}
}}
"""
FORWARD = {
    "http": """proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;""",
    "uwsgi": """uwsgi_pass service;
      uwsgi_param QUERY_STRING $query_string;
      uwsgi_param REQUEST_METHOD $request_method;
      uwsgi_param CONTENT_TYPE $content_type;
      uwsgi_param CONTENT_LENGTH $content_length;
      uwsgi_param REQUEST_URI $request_uri;
      uwsgi_param PATH_INFO $document_uri;
      uwsgi_param SERVER_PROTOCOL $server_protocol;
      uwsgi_param REMOTE_ADDR $remote_addr;
      uwsgi_param SERVER_PORT $server_port;
      uwsgi_param SERVER_NAME $server_name;
      uwsgi_param HTTP_HOST localhost;""",
}
# Framework, server, arguments of the container, port and protocol. What the template doesn't offer is for comparison.
SERVERS = {
    "Flask, uWSGI": ("flask", "uwsgi", (), 8000, "http"),
    "Flask, Gunicorn": ("flask", "gunicorn", (), 8000, "http"),
    "Flask, Granian": ("flask", "granian", (), 8000, "http"),
    "FastAPI, Uvicorn": ("fastapi", "uvicorn", (), 8000, "http"),
    "FastAPI, Granian": ("fastapi", "granian", (), 8000, "http"),
    "uWSGI, `http11-socket`": ("flask", "uwsgi", ("--http11-socket=:8001",), 8001, "http"),
    "uWSGI, its own protocol": ("flask", "uwsgi", ("--socket=:3031",), 3031, "uwsgi"),
    "article": ("flask", "article", (), 8000, "http"),
    "docker-init": ("flask", "docker-init", (), 8000, "http"),
}


def images(folder: Path) -> dict[tuple[str, str], str]:
    """Build an image for each framework and server, with the additional pages; return their names."""
    found = {}
    for framework, server, *_ in SERVERS.values():
        if (framework, server) in found:
            continue
        say(f"building {framework} on {server}")
        found[framework, server] = tag = f"load-{framework}-{server}"
        service = folder / tag
        others = {"article", "docker-init"}
        scaffold(
            service, project_name="My Service", framework=framework, server="uwsgi" if server in others else server
        )
        (entry,) = service.glob("src/my_service/?sgi.py")
        with entry.open("a", encoding="utf-8") as file:
            file.write(PAGES[entry.stem])
        if server == "docker-init":
            add_metadata(service)
        base, *_ = base_images(service)
        options = []
        if server in others:
            options = [f"--file={DOCKERFILES / server}.Dockerfile"]
            pyproject = service / "pyproject.toml"
            pyproject.write_text(pyproject.read_text(encoding="utf-8").replace(WHEEL, FROM_SOURCE), encoding="utf-8")
            subprocess.run(["uv", "lock", "--quiet"], cwd=service, check=True)
            export = ["uv", "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes"]
            locked = subprocess.run(export, cwd=service, check=True, stdout=subprocess.PIPE, text=True).stdout
            (service / "requirements-gunicorn.txt").write_text(re.sub(r"(?m)^uwsgi==.*", GUNICORN, locked))
            with (service / ".dockerignore").open("a", encoding="utf-8") as file:
                file.write("!requirements*.txt\n")
        build(service, tag, *options)
    build_tools(folder / "tools", base)
    return found


def build_tools(folder: Path, base: str) -> None:
    """Build the image of the clients and the proxy."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(TOOLS_DOCKERFILE.format(base=base), encoding="utf-8")
    build(folder, TOOLS)


def address(container: str) -> str:
    """Return a container's address."""
    return docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container)


@contextmanager
def running(image: str, *arguments: str, port: int = 8000, options: tuple[str, ...] = ()) -> Iterator[str]:
    """Run a container; yield its address when it listens on *port*."""
    container = docker("run", "--detach", *options, image, *arguments)
    try:
        host = address(container)
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection((host, port), timeout=1):
                break
            if time.monotonic() > deadline:
                sys.exit(f"{image} doesn't listen on port {port}:\n{docker('logs', container)}")
            time.sleep(0.05)
        yield host
    finally:
        docker("rm", "--force", container)


@contextmanager
def proxied(host: str, port: int, protocol: str, folder: Path) -> Iterator[str]:
    """Run nginx in front of a service; yield its address."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(host=host, port=port, forward=FORWARD[protocol]), encoding="utf-8")
    with running(TOOLS, "nginx", "-c", "/nginx.conf", port=8080, options=(f"--volume={config}:/nginx.conf:ro",)) as at:
        yield at


@contextmanager
def idle(host: str, port: int, connections: int) -> Iterator[None]:
    """Keep that many connections open on which nothing is sent; open those again that the server closes."""
    stop = threading.Event()

    def hold() -> None:
        while not stop.is_set():
            with suppress(OSError), socket.create_connection((host, port), timeout=1) as connection:
                while not stop.is_set():
                    with suppress(TimeoutError):
                        connection.settimeout(0.2)
                        if not connection.recv(1):
                            break

    threads = [threading.Thread(target=hold) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wrk(host: str, port: int, path: str, connections: int, script: Path | None = None) -> tuple[float, float, float]:
    """Return the requests per second that succeed, and the 50th and the 99th percentile of the latency in ms."""
    options = ["--latency", "--threads=1", f"--connections={connections}", f"--duration={SECONDS}s", "--timeout=10s"]
    mount = []
    if script:
        mount, options = [f"--volume={script}:/script.lua:ro"], [*options, "--script=/script.lua"]
    options += ["--header=Host: localhost"]
    printed = docker("run", "--rm", *mount, TOOLS, "wrk", *options, f"http://{host}:{port}{path}")
    total, seconds = re.search(r"(\d+) requests in ([\d.]+)s", printed).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    units = {"us": 0.001, "ms": 1, "s": 1000}
    percentiles = []
    for percent in ("50", "99"):
        number, unit = re.search(rf" {percent}% +([\d.]+)(\w+)", printed).groups()
        percentiles.append(round(float(number) * units[unit], 2))
    return (round((int(total) - int(failed[1] if failed else 0)) / float(seconds), 1), *percentiles)


def measure(folder: Path, rounds: int) -> dict[str, dict]:
    """Return rate and latency: by server, place ("direct" or "nginx") and load, a list of the rounds' measurements."""
    built = images(folder)
    script = folder / "slow.lua"
    script.write_text(SLOW, encoding="utf-8")
    results: dict[str, dict] = {name: {"direct": {}, "nginx": {}} for name in SERVERS}
    for number in range(rounds):
        for place in range(len(SERVERS)):
            name = list(SERVERS)[(number + place) % len(SERVERS)]
            framework, server, arguments, port, protocol = SERVERS[name]
            with (
                running(built[framework, server], *arguments, port=port) as host,
                proxied(host, port, protocol, folder) as proxy,
            ):
                for where, (at, on) in {"direct": (host, port), "nginx": (proxy, 8080)}.items():
                    if protocol != "http" and where == "direct":
                        continue
                    for load, (connections, what, path) in LOADS.items():
                        with idle(at, on, IDLE if what == "idle" else 0):
                            found = wrk(at, on, path, connections, script if what == "slow" else None)
                        say(f"{name}, {where}, {load}: {found[0]:.0f}/s, {found[1]:.1f} ms, {found[2]:.1f} ms")
                        results[name][where].setdefault(load, []).append(found)
    return results


def measure_starts(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds from `docker run` to the first 200 of each of the template's servers: a list of the rounds'."""
    built = images(folder)
    # Those that the template offers have a framework in their names.
    offered = {name: built[one[:2]] for name, one in SERVERS.items() if name.startswith(("Flask", "FastAPI"))}
    found: dict[str, list[float]] = {name: [] for name in offered}
    for number in range(rounds):
        for place in range(len(offered)):
            name = list(offered)[(number + place) % len(offered)]
            found[name].append(first_200(offered[name]))
            say(f"first 200, {name}: {found[name][-1]:.2f} s")
    return found


def measure_log(folder: Path, rounds: int) -> dict[str, list]:
    """Return the default service's rates with and without lines for requests; and a line's cost in a process, in seconds."""
    scaffold(folder / "log", project_name="My Service")
    base, *_ = base_images(folder / "log")
    build(folder / "log", "log")
    build_tools(folder / "log-tools", base)
    found: dict[str, list] = {**{name: [] for name in LOGS}, "in process": []}
    for number in range(rounds):
        for name in sorted(LOGS, reverse=bool(number % 2)):
            with running("log", options=(f"--env=LOG_LEVEL={LOGS[name]}", "--env=WEB_CONCURRENCY=1")) as host:
                found[name].append(wrk(host, 8000, "/", 16)[0])
            say(f"{name}: {found[name][-1]:.0f}/s")
        command = ["docker", "run", "--rm", "--entrypoint=python", "log", "-c", IN_PROCESS]
        done = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        found["in process"].append(median(one - other for one, other in json.loads(done.stderr)))
    return found
