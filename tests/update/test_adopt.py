"""A service that the template didn't make adopts it, by docs/adopt.md."""

import json
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import free_port, wait_until_ready
from existing import COMMON, EXISTING, FLASK_IN_A_VARIABLE, ORDER, Existing
from platforms import FRAMEWORKS, server_choices, stack
from support import TEMPLATE, Service, edit

ADOPT = (TEMPLATE / "docs/adopt.md").read_text(encoding="utf-8")


@pytest.fixture
def template(template_clone: Path, tmp_path: Path) -> Path:
    """Give the template with a release above all others."""
    template = tmp_path / "uv-docker-template"
    shutil.copytree(template_clone, template)
    subprocess.run(["git", "-C", template, "tag", "v1000.0.0"], check=True)
    return template


def make(folder: Path, existing: Existing, env: dict[str, str]) -> Service:
    """Write and commit a service; `.env` is ignored, and has to stay."""
    folder.mkdir()
    service = Service(folder, {**env, "GIT_EDITOR": "false"})
    for command in existing.made_by:
        service.run(command)
    for name, text in {**existing.files, **COMMON, ".env": "PASSWORD=secret\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    service.run("git init --quiet")
    service.run("git add --all")
    service.run("git commit --quiet --message Start")
    return service


def documented_steps(existing: Existing) -> Iterator[tuple[str, str]]:
    """Give what docs/adopt.md tells the team of a service, in its order: commands to run, and code to write."""
    text = re.sub(rf"^### (?!{FRAMEWORKS[existing.framework].label}\n).*?(?=^##)", "", ADOPT, flags=re.M | re.S)
    for pattern, replacement in {"framework=flask": f"framework={existing.framework}", **existing.otherwise}.items():
        text, count = re.subn(pattern, replacement, text, flags=re.S)
        assert count, f"docs/adopt.md: no {pattern}"
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S):
        if block[1] == "console":
            yield from (("command", command) for command in re.findall(r"^\$ (.*)$", block[2], flags=re.M))
        else:
            yield block[1], block[2]


def write_code(service: Service, code: str) -> None:
    """Write the bridge where docs/adopt.md says that it belongs."""
    settings = service.folder / "src/orders/settings.py"
    if settings.exists():
        edit(settings, (r"\Z", code))
    else:
        (service.folder / "src/orders/app.py").write_text(code)


def run_documented(service: Service, command: str, template: Path) -> str:
    """Run a command of docs/adopt.md; where it would ask, it takes the defaults."""
    command = command.replace("gh:org/uv-docker-template", str(template)).replace(
        "../uv-docker-template", str(TEMPLATE)
    )
    if " copier copy " in command:
        command += " --defaults"
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=service.folder,
        env=service.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}"
    return result.stdout


def lists(output: str) -> dict[str, set[str]]:
    """Read what the dry run prints."""
    found: dict[str, set[str]] = {}
    for line in output.splitlines():
        if heading := re.fullmatch(r"(added|changed|left alone): \d+", line):
            paths = found.setdefault(heading[1], set())
        elif found:
            paths.add(line.strip())
    return found


def serve(service: Service, command: str, paths: tuple[str, ...]) -> tuple[list[bytes], list[dict[str, object]]]:
    """Start the service, fetch pages and stop it; give what they hold, and what was logged of these requests."""
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


def test_each_framework_has_services_that_adopt_it():
    assert {service.framework for service in EXISTING.values()} == set(FRAMEWORKS)


@pytest.mark.parametrize("existing", EXISTING.values(), ids=EXISTING)
def test_an_existing_service_adopts_the_template_and_updates(existing, template, user_env, tmp_path):
    service = make(tmp_path / "orders", existing, {**user_env, "PYTEST_ADDOPTS": "--verbose"})
    folder = service.folder
    server = next(iter(server_choices(existing.framework).values()))
    start = f"uv run {stack('debian-13', existing.framework, server, 'orders')['command']}"
    own: set[str] = set()
    seen: dict[str, set[str]] = {}
    for kind, step in documented_steps(existing):
        if kind == "python":
            write_code(service, step)
        elif kind == "toml":
            edit(folder / "pyproject.toml", (r"testpaths = [^\n]*\n", step))
        elif step.startswith("export "):
            service.env = {**service.env, **dict(part.split("=") for part in shlex.split(step)[1:])}
        elif step == start:
            pages, requests = serve(service, step, existing.pages)
        elif " adoption " in step:
            own = set(service.run("git ls-files").split())
            seen = lists(run_documented(service, step, template))
            assert service.run("git status --short") == ""
        elif " copier copy " in step:
            run_documented(service, step, template)
            status = service.run("git status --short --untracked-files=all")
            assert seen["changed"] == set(re.findall(r"^ M (.*)$", status, re.MULTILINE))
            assert seen["added"] == set(re.findall(r"^\?\? (.*)$", status, re.MULTILINE)) - {"uv.lock"}
        elif step == "uv run pytest":
            tested = run_documented(service, step, template)
        elif step.startswith("git add "):
            changed = set(service.run("git diff --name-only HEAD").split())
            run_documented(service, step, template)
        else:
            run_documented(service, step, template)

    assert seen["changed"] == {".gitignore", "Dockerfile", *({"pyproject.toml"} & own), *existing.changed}
    assert seen["left alone"] == own - seen["changed"]
    assert changed - {"requirements.txt", "pytest.ini"} == seen["changed"] | ({"src/orders/settings.py"} & own)
    assert re.search(r"test_order PASSED", tested)
    assert re.search(r"test_health\.py::test_alive PASSED", tested)
    service.run("uv lock --check")
    assert 'version = "4.2.0"' in (folder / "pyproject.toml").read_text()
    assert set((folder / ".gitignore").read_text().splitlines()) >= {"*.sqlite", "/.env", "/.venv/"}
    assert (folder / ".env").read_text() == "PASSWORD=secret\n"
    assert ".env" not in service.run("git ls-files").split()
    assert json.loads(pages[0]) == ORDER
    assert [(line["event"], line["path"], line["status"]) for line in requests] == [
        ("request", path, 200) for path in existing.pages
    ]

    edit(template / "template/Dockerfile.jinja", (r"\Z", "# Improved.\n"))
    edit(template / "template/pyproject.toml.jinja", (r'"ruff>=', '"iniconfig>=2",\n    "ruff>='))
    subprocess.run(["git", "-C", template, "commit", "--all", "--quiet", "--message=Improve"], check=True)
    subprocess.run(["git", "-C", template, "tag", "v1000.0.1"], check=True)
    service.run("uvx --with jinja2-time --with copier-template-extensions copier update --trust --defaults")
    assert set(service.run("git status --short").splitlines()) == {
        " M .copier-answers.yml",
        " M Dockerfile",
        " M pyproject.toml",
        " M uv.lock",
    }
    assert "<<<<<<<" not in (folder / "pyproject.toml").read_text()
    service.run("uv lock --check")


def fingerprint(folder: Path) -> dict[str, tuple]:
    """Tell all that could change in a folder, Git's own included."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def dry_run(folder: Path, template: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "uv",
            "run",
            TEMPLATE / "tools/preview.py",
            "adoption",
            *options,
            template,
            folder,
            "--data=package_name=orders",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_changes_nothing_at_all(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)
    # Git would refresh its index for this one.
    (service.folder / "README.md").touch()
    before = fingerprint(tmp_path)

    result = dry_run(service.folder, template, "--json")

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["changed"] == [".gitignore", "Dockerfile", "README.md", "pyproject.toml"]
    assert fingerprint(tmp_path) == before


def test_a_dry_run_warns_of_files_that_git_could_not_bring_back(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)
    (service.folder / ".envrc").write_text("export A=1\n")
    (service.folder / ".gitignore").write_text("/.env*\n")
    service.run("git commit --quiet --all --message Ignore")

    result = dry_run(service.folder, template)

    assert result.returncode == 2
    assert result.stderr == "preview: git doesn't have these files, which would be overwritten: .envrc\n"


def test_a_dry_run_refuses_uncommitted_work(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)
    (service.folder / "orders/web.py").write_text("half an idea")

    result = dry_run(service.folder, template)

    assert (result.returncode, result.stdout) == (2, "")
    assert "has uncommitted changes, which an adoption could overwrite: commit them" in result.stderr


def test_a_dry_run_says_which_answer_is_wrong(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)

    result = dry_run(service.folder, template, "--json")
    wrong = subprocess.run(
        [*result.args[:-1], "--data=package_name=class"], capture_output=True, text=True, check=False
    )

    assert wrong.returncode == 2
    assert '"class" is a Python keyword' in wrong.stderr
