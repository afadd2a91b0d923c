"""Execute the steps of docs/how-to/adopt.md for a service."""

import json
import re
import shlex
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from building import Image, build, run_container_tests
from choices import FRAMEWORKS, make_stack
from demo import free_port, wait_until_ready
from existing import COMMON, Existing
from support import TEMPLATE, Service, edit

ADOPT = (TEMPLATE / "docs/how-to/adopt.md").read_text(encoding="utf-8")


@dataclass
class Adoption:
    """A service that adopts the template, and the results of the steps."""

    existing: Existing
    service: Service
    template: Path
    own: set[str] = field(default_factory=set)
    """The paths of its files before the adoption."""
    preview: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    """The output of each command."""
    pages: list[bytes] = field(default_factory=list)
    requests: list[dict[str, object]] = field(default_factory=list)
    """The responses and log lines of the running service."""
    changed: set[str] = field(default_factory=set)
    """The files that differ after the adoption."""

    @property
    def image(self) -> str:
        """Return a unique name for its image."""
        return f"orders-{self.existing.framework}"

    def follow(self, *, with_image: bool = False) -> None:
        """Execute the document's steps up to the image, or those with the image."""
        before, title, after = self.document().partition("\nThen the image")
        assert title
        for kind, step in steps(after if with_image else before):
            self.take(kind, step)

    def document(self) -> str:
        """Return the document for this service: for its framework, and with its team's deviations."""
        text = re.sub(rf"^### (?!{FRAMEWORKS[self.existing.framework].name}\n).*?(?=^##)", "", ADOPT, flags=re.M | re.S)
        otherwise = {"framework=flask": f"framework={self.existing.framework}", **self.existing.otherwise}
        for pattern, replacement in otherwise.items():
            text, count = re.subn(pattern, lambda _, new=replacement: new, text, flags=re.S)
            assert count, f"docs/how-to/adopt.md: no {pattern}"
        return text

    def take(self, kind: str, step: str) -> None:
        """Execute one step."""
        folder, service = self.service.folder, self.service
        start = f"uv run {make_stack('debian-13', self.existing.framework, self.existing.server, 'orders')['server']['command']}"
        if kind == "python":
            write_code(folder / self.existing.code, step)
        elif kind == "toml":
            if "testpaths" in step:
                edit(folder / "pyproject.toml", (r"testpaths = [^\n]*\n", step))
            else:
                edit(folder / "pyproject.toml", (r"\Z", "\n" + step))
        elif step.startswith("export "):
            service.env = {**service.env, **dict(part.split("=") for part in shlex.split(step)[1:])}
        elif step == start:
            self.pages, self.requests = serve(service, step, self.existing.pages)
        elif " adoption " in step:
            self.own = set(service.run("git ls-files").split())
            self.preview = lists(self.run(step))
            assert service.run("git status --short") == ""
        elif " copier copy " in step:
            # Accept the defaults of questions; the Dockerfile's frontend can't be pulled everywhere.
            self.run(f"{step} --defaults --data dockerfile_syntax=")
            status = service.run("git status --short --untracked-files=all")
            assert set(self.preview["changed"]) == set(re.findall(r"^ M (.*)$", status, re.MULTILINE))
            assert set(self.preview["added"]) == set(re.findall(r"^\?\? (.*)$", status, re.MULTILINE)) - {"uv.lock"}
        elif step.startswith("git add "):
            self.changed = set(service.run("git diff --name-only HEAD").split())
            self.run(step)
        elif step == "docker build --tag orders .":
            build(folder, self.image)
        elif step == "IMAGE=orders uv run pytest -m container":
            run_container_tests(service, Image(self.image, ""))
        else:
            self.run(step)

    def run(self, step: str) -> str:
        """Run a command of the document."""
        command = step.replace("gh:org/uv-docker-template", str(self.template)).replace(
            "../uv-docker-template", str(TEMPLATE)
        )
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=self.service.folder,
            env=self.service.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}"
        self.outputs[step] = result.stdout
        return result.stdout


def make(folder: Path, existing: Existing, env: dict[str, str]) -> Service:
    """Write and commit a service. `.env` is ignored by git, and has to survive the adoption."""
    folder.mkdir()
    service = Service(folder, {**env, "GIT_EDITOR": "false"})
    for name, text in {**COMMON, ".env": "PASSWORD=secret\n", **existing.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in existing.made_by:
        service.run(command)
    service.run("git init --quiet")
    service.run("git add --all")
    service.run("git commit --quiet --message Start")
    return service


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and text of each step: commands to run, and code to write."""
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S):
        if block[1] == "console":
            yield from (("command", command) for command in re.findall(r"^\$ (.*)$", block[2], flags=re.M))
        else:
            yield block[1], block[2]


def write_code(file: Path, code: str) -> None:
    """Write the application's module, or append to Django's settings."""
    if "settings" in str(file):
        edit(file, (r"\Z", code.replace("\\", "\\\\")))
    else:
        file.write_text(code)


def lists(output: str) -> dict[str, list[str]]:
    """Parse the output of the preview."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        if heading := re.fullmatch(r"(added|changed|left alone|warnings): \d+", line):
            entries = found.setdefault(heading[1], [])
        elif found:
            entries.append(line.strip())
    return found


def serve(service: Service, command: str, paths: tuple[str, ...]) -> tuple[list[bytes], list[dict[str, object]]]:
    """Start the service, fetch pages and stop it; return the responses, and the log lines of these requests."""
    port = str(free_port())
    env = {**service.env, "PORT": port, "GRANIAN_PORT": port, "LOG_FORMAT": "json"}
    written = service.folder.parent / "log"
    pages = []
    with (
        written.open("w") as log,
        subprocess.Popen(command.split(), cwd=service.folder, env=env, stdout=log, stderr=log) as server,
    ):
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            for path in paths:
                request = urllib.request.Request(f"http://localhost:{port}{path}", headers={"X-Request-ID": "abc"})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert answer.headers["X-Request-ID"] == "abc"
                    pages.append(answer.read())
        finally:
            server.terminate()
            server.wait()
            print(written.read_text())
    lines = [json.loads(line) for line in written.read_text().splitlines() if line.startswith("{")]
    return pages, [line for line in lines if line.get("request_id") == "abc"]
