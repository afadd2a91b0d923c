"""Record a real session with the template, and draw it as a terminal window: docs/session.svg.

It runs the README's command with this working tree, then commands in the new service. The picture leaves out what
differs between runs (times, temporary paths), and most of the files that Copier lists.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from demo import free_port, wait_until_ready
from machine import say, service_python

TEMPLATE = Path(__file__).resolve().parent.parent
PICTURE = TEMPLATE / "docs" / "session.svg"
SOURCE = "gh:org/uv-docker-template"
FILES = 4  # of those that Copier lists

# In pixels.
CHARACTER, LINE, MARGIN, BAR = 8.43, 20, 18, 26
COLUMNS = 112
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
STYLE = """
  .window { fill: #1e2430; stroke: #3b4252 }
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d8dee9 }
  .command { fill: #ffffff; font-weight: bold }
  .prompt { fill: #8fbf7f }
  .comment { fill: #8a94a6 }
"""


def main() -> None:
    """Record the session, and draw it."""
    with tempfile.TemporaryDirectory(prefix="session-") as folder:
        lines = record(Path(folder))
    PICTURE.write_text(draw(lines), encoding="utf-8")
    say(f"{PICTURE.relative_to(TEMPLATE)} has {len(lines)} lines")


def record(folder: Path) -> list[str]:
    """Run the session and return its lines. Commands begin with "$ "."""
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    (copy,) = re.findall(r"^\$ (uvx .* copier copy .*)$", readme, re.MULTILINE)
    env = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    env |= {"NO_COLOR": "1", "UV_PYTHON": sys.executable}
    command = [part.replace(SOURCE, str(TEMPLATE)) for part in shlex.split(copy)]
    output = run([*command, "--defaults", "--vcs-ref=HEAD"], folder, env)
    service = folder / "myapp"
    lines = [f"$ {copy}", *made(output, sum(path.is_file() for path in service.rglob("*")))]

    env["UV_PYTHON"] = service_python((service / ".python-version").read_text(encoding="utf-8").strip())
    run(["uv", "sync", "--locked"], service, env)
    (passed,) = re.findall(r"(\d+ passed)", run(["uv", "run", "pytest"], service, env))
    lines += ["$ cd myapp && uv sync && uv run pytest", "...", passed, ""]

    readme = (service / "README.md").read_text(encoding="utf-8")
    serve = next(line for line in readme.splitlines() if line.startswith("$ uv run ") and "etc/" in line)
    return [*lines, *served(serve, service, env)]


def made(output: str, files: int) -> list[str]:
    """Return a copy's output: some of the files, their number, and the message at the end."""
    listed = re.findall(r"^ +create  (\S+\.\w+)$", output, re.MULTILINE)
    shown = sorted(listed)[:: max(1, len(listed) // FILES)][:FILES]
    last = output[output.index('"My Service" lies in') :].strip()
    return [*(f"    create  {file}" for file in shown), f"    ...     {files} files", "", *last.splitlines(), ""]


def served(command: str, service: Path, env: dict[str, str]) -> list[str]:
    """Start the server, fetch pages, and stop it; return the lines of the session."""
    port = str(free_port())
    with subprocess.Popen(
        shlex.split(command.removeprefix("$ ")),
        cwd=service,
        env={**env, "PORT": port},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            pages = [
                line
                for path in ("/", "/readyz")
                for line in (
                    f"$ curl localhost:8000{path}",
                    run(["curl", "-s", f"localhost:{port}{path}"], service, env),
                )
            ]
        finally:
            server.terminate()
    return [f"{command} &", *(line.strip() for line in pages), "$ kill %1 && wait %1; echo $?", str(server.returncode)]


def run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    """Run a command and return its output without colours."""
    say(shlex.join(command))
    result = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode:
        sys.exit(result.stdout)
    return ESCAPES.sub("", result.stdout)


def draw(lines: list[str]) -> str:
    """Return the SVG of a terminal window with these lines."""
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    height = BAR + 2 * MARGIN + LINE * len(lines)
    dots = "".join(
        f'  <circle cx="{22 + 20 * number}" cy="17" r="6" fill="{colour}"/>\n'
        for number, colour in enumerate(("#bf616a", "#d9b064", "#8fbf7f"))
    )
    rows = "".join(
        f'  <text x="{MARGIN}" y="{BAR + MARGIN + LINE * number}">{styled(line)}</text>\n'
        for number, line in enumerate(lines, start=1)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" xml:space="preserve">\n'
        "  <title>A terminal: a service is made by one command, tested, started, asked, and stopped</title>\n"
        f"  <style>{STYLE}  </style>\n"
        f'  <rect class="window" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>\n'
        f"{dots}{rows}</svg>\n"
    )


def styled(line: str) -> str:
    """Return the SVG of a line, with its prompt, command or comment marked."""
    if line.startswith("$ "):
        return f'<tspan class="prompt">$ </tspan><tspan class="command">{escape(line[2:])}</tspan>'
    kind = ' class="comment"' if line.strip().startswith("...") else ""
    return f"<tspan{kind}>{escape(line)}</tspan>"


if __name__ == "__main__":
    main()
