"""Make a service, run its checks, build its image, start it locked down, send requests, stop it; show all of that.

Without a container engine, and where none can be started, it leaves out the image.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from machine import MissingError, container_engine, has_images, service_python
from rich.console import CONSOLE_SVG_FORMAT, Console

TEMPLATE = Path(__file__).resolve().parent.parent
PYTHON = "3.13"  # the default service's
FRONTEND = "docker/dockerfile:1"
NAME = f"demo-{os.getpid()}"  # of the image and the container
COPIER = [sys.executable, "-W", "ignore", "-m", "copier"]
# Of what the checks print, a line each.
RESULTS = re.compile("passed|already formatted|no issues|test coverage of")
START_TIMEOUT = 60  # seconds

console = Console(record=True, highlight=False)
times: dict[str, float] = {}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="a new folder for the service; by default, a temporary one")
    parser.add_argument("--svg", type=Path, help="a file for a picture of the output")
    options = parser.parse_args()
    if options.svg:
        console.width = 100  # characters
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        folder = (options.dir or Path(scratch, "my-service")).resolve()
        if folder.exists() and any(folder.iterdir()):
            sys.exit(f"{folder} is not empty: choose another folder with DIR=…")
        os.environ.pop("VIRTUAL_ENV", None)  # this script's, not the service's
        os.environ["UV_PYTHON"] = service_python(PYTHON)
        try:
            stack.enter_context(container_engine())
        except MissingError as error:
            say(f"{error} Leaving out the image.")
            make_service(folder)
        else:
            # Without access to Docker Hub, the Dockerfile's frontend can't be pulled; the engine has a built-in one.
            make_service(folder, *([] if has_images(FRONTEND, quiet=True) else ["--data=dockerfile_syntax="]))
            stack.callback(subprocess.run, ["docker", "rmi", "--force", NAME], capture_output=True)
            stack.callback(subprocess.run, ["docker", "rm", "--force", NAME], capture_output=True)
            show_image(folder)
    console.print()
    say(", ".join(f"{step} {seconds:.1f} s" for step, seconds in times.items()))
    if options.svg:
        # Rich's own format fetches fonts from elsewhere.
        svg_format = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        options.svg.write_text(console.export_svg(title="make demo", code_format=svg_format), encoding="utf-8")


def make_service(folder: Path, *data: str) -> None:
    """Copy the template as it is here, uncommitted changes included; show the service's files, and run its checks."""
    options = ["--quiet", "--trust", "--defaults", "--vcs-ref=HEAD", *data]
    folder.parent.mkdir(parents=True, exist_ok=True)
    run("copy", *COPIER, "copy", *options, str(TEMPLATE), folder.name, cwd=folder.parent)
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda file: (file.parent, file.name))
    for parent, members in groupby(files, key=lambda file: file.parent):
        say(f"{parent.relative_to(folder.parent)}/: {' '.join(file.name for file in members)}")
    lines = sum(len(file.read_bytes().splitlines()) for file in files if file.name != "uv.lock")
    say(f"{len(files)} files, {lines} lines without uv.lock")
    for line in run("checks", "uv", "run", "poe", "check", cwd=folder).splitlines():
        if RESULTS.search(line):
            say(line.strip("= "))


def show_image(folder: Path) -> None:
    """Build the service's image and start it; fetch its pages, stop it, and show its log."""
    has_images(*re.findall(r"^ARG \w+_IMAGE=(\S+)", (folder / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    # A network that intercepts TLS has its own certificates.
    certificates = os.environ.get("SSL_CERT_FILE")
    secret = [f"--secret=id=ca-certificates,src={certificates}"] if certificates else []
    run("build", "docker", "build", "--quiet", *secret, f"--tag={NAME}", ".", cwd=folder)

    started = time.monotonic()
    options = ["--detach", "--publish=127.0.0.1::8000", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"]
    run("start", "docker", "run", *options, f"--name={NAME}", NAME)
    address = docker("port", NAME, "8000/tcp").split()[0]
    while not (ready := fetch(f"http://{address}/readyz")):
        if time.monotonic() > started + START_TIMEOUT:
            subprocess.run(["docker", "logs", NAME], check=False)
            sys.exit(f"The service is not ready after {START_TIMEOUT} s: its log is above.")
        time.sleep(0.01)
    times["start"] = time.monotonic() - started
    say(f"GET /readyz: {ready}")
    say(f"GET /: {fetch(f'http://{address}/')}")
    run("stop", "docker", "stop", NAME)
    say(f"Exit status {docker('inspect', '--format={{.State.ExitCode}}', NAME)}")
    # The server has messages of its own, in plain text.
    log = run("", "docker", "logs", NAME).splitlines()
    say("\n".join(line for line in log if line.startswith("{")))


def run(step: str, *command: str, cwd: Path | None = None) -> str:
    """Show and run a command, record the time of the step if it has a name, and return the output; exit at a failure."""
    shown = " ".join(command).replace(" ".join(COPIER), "copier").replace(str(TEMPLATE), TEMPLATE.name)
    console.print(f"\n$ {shown}", style="bold green", markup=False)
    started = time.monotonic()
    result = subprocess.run(command, cwd=cwd, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if step:
        times[step] = time.monotonic() - started
    if result.returncode:
        sys.exit(f"{result.stdout}\nThe command failed with exit status {result.returncode}.")
    return result.stdout.strip()


def docker(*arguments: str) -> str:
    """Run the engine's client and return its output."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def fetch(url: str) -> str:
    """Return a page's status and content; nothing if there is no server yet."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return f"{response.status} {response.read().decode().strip()}"
    except OSError:
        return ""


def say(text: str) -> None:
    """Print a line, also into the picture."""
    console.print(text, markup=False)


if __name__ == "__main__":
    try:
        main()
    except MissingError as error:
        sys.exit(str(error))
