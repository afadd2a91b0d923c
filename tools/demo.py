"""Scaffold a service, install it, start it on its server and fetch its pages.

If a container engine is running, do the same with the service's image first.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from machine import MissingError, run, say, service_python

TEMPLATE = Path(__file__).resolve().parent.parent
START_TIMEOUT = 60  # seconds
CONTAINER = f"demo-{os.getpid()}"
FRONTEND = "docker/dockerfile:1"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="an empty or new folder for the service")
    parser.add_argument("--serve", action="store_true", help="go on serving until Ctrl-C")
    options = parser.parse_args()

    folder = (options.dir or Path(tempfile.mkdtemp(prefix="demo-")) / "my-service").resolve()
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty: choose another folder with DIR=…, or remove it")

    scaffold(folder)
    version = (folder / ".python-version").read_text(encoding="utf-8").strip()
    env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    env["UV_PYTHON"] = service_python(version)
    run(["uv", "sync", "--locked"], cwd=folder, env=env)
    if engine_is_running():
        demonstrate_image(folder)
    else:
        say("no container engine is running: skipping the image")
    serve(folder, env, forever=options.serve)
    say(f"done; the service lies in {folder}")


def scaffold(folder: Path) -> None:
    """Copy the template as it is in this folder, uncommitted changes included."""
    run([sys.executable, "-m", "copier", "copy", "--trust", "--defaults", "--vcs-ref=HEAD", str(TEMPLATE), str(folder)])


def serve(folder: Path, env: dict[str, str], *, forever: bool) -> None:
    """Start the service, fetch its pages, and stop it; with *forever*, only at Ctrl-C."""
    port = env.get("PORT") or str(free_port())
    command = ["uv", "run", "--locked", "uwsgi", "--ini", "etc/uwsgi.ini"]
    say(f"PORT={port} {' '.join(command)}   (log: {folder}/server.log)")
    started = time.monotonic()
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env={**env, "PORT": port}, stdout=log, stderr=log) as server,
    ):
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            say(f"ready after {time.monotonic() - started:.1f} s")
            for path in ("/", "/livez"):
                fetch(f"http://localhost:{port}{path}")
            if forever:
                say(f"serving at http://localhost:{port}/ until Ctrl-C")
                server.wait()
        except KeyboardInterrupt:
            pass
        except TimeoutError as error:
            print((folder / "server.log").read_text(errors="replace"), file=sys.stderr)
            sys.exit(str(error))
        finally:
            say("stopping the server")
            server.send_signal(signal.SIGTERM)
            say(f"it ended with exit status {server.wait()}")


def engine_is_running() -> bool:
    """Return whether there is a container engine that can build and run an image."""
    try:
        return subprocess.run(["docker", "version"], check=False, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def demonstrate_image(folder: Path) -> None:
    """Build the service's image, run it until it is healthy, fetch its pages and stop it; print the times."""
    image = "my-service-demo"
    # A network that intercepts TLS has its own certificates.
    certificates = os.environ.get("SSL_CERT_FILE")
    secret = ["--secret", f"id=ca-certificates,src={certificates}"] if certificates else []
    # Without access to Docker Hub, the Dockerfile's frontend can't be pulled; the engine has a built-in one.
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    if not can_pull(FRONTEND):
        say(f"{FRONTEND} can't be pulled: building without it, as the answer dockerfile_syntax= would")
        dockerfile = dockerfile.replace(f"# syntax={FRONTEND}\n", "")
    with timed("built"):
        run(["docker", "build", "--quiet", "--tag", image, *secret, "--file", "-", "."], cwd=folder, input=dockerfile)
    with timed("healthy"):
        locked_down = ["--read-only", "--tmpfs", "/tmp"]
        run(["docker", "run", "--detach", "--name", CONTAINER, "--publish", "127.0.0.1::8000", *locked_down, image])
        wait_until_healthy()
    try:
        address = output("docker", "port", CONTAINER, "8000/tcp").split()[0]
        for path in ("/", "/livez"):
            fetch(f"http://{address}{path}")
        with timed("stopped"):
            run(["docker", "stop", CONTAINER])
        say(f"it ended with exit status {output('docker', 'wait', CONTAINER)}")
    finally:
        subprocess.run(["docker", "rm", "--force", CONTAINER], check=False, capture_output=True)


@contextmanager
def timed(done: str) -> Iterator[None]:
    """Print how long the block took."""
    started = time.monotonic()
    yield
    say(f"{done} after {time.monotonic() - started:.1f} s")


def can_pull(image: str) -> bool:
    """Return whether the engine has an image or can pull it within 20 s."""
    for command in (["docker", "image", "inspect", image], ["docker", "pull", "--quiet", image]):
        with suppress(subprocess.TimeoutExpired):
            if subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0:
                return True
    return False


def wait_until_healthy() -> None:
    """Wait until the container's health check passes."""
    deadline = time.monotonic() + START_TIMEOUT
    while (status := output("docker", "inspect", "--format={{.State.Health.Status}}", CONTAINER)) != "healthy":
        if status == "unhealthy" or time.monotonic() > deadline:
            run(["docker", "logs", CONTAINER])
            sys.exit("the image's container did not become healthy: its log is above")
        time.sleep(0.05)


def output(*command: str) -> str:
    """Run a command and return its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def free_port() -> int:
    """Find a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until *url* responds with 200.

    Raises:
        TimeoutError: The server ended, or START_TIMEOUT passed.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:  # it can't be reached, or doesn't respond yet
            time.sleep(0.05)
    raise TimeoutError(f"the service did not become ready within {START_TIMEOUT} s: its log is above")


def fetch(url: str) -> None:
    """Print the response of a page."""
    say(f"GET {url}")
    with urllib.request.urlopen(url, timeout=5) as answer:
        print(f"    {answer.status} {answer.read().decode().strip()}")


if __name__ == "__main__":
    try:
        main()
    except MissingError as error:
        sys.exit(str(error))
