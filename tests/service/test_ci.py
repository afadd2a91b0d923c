"""The CI jobs of a service: their shell steps run for real, in clones of local repositories.

The template of the updated service is a small one with two releases. GitHub can't be had here: `gh` is a script that
records its arguments. GitLab is a repository that records push options.
"""

import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support import commit, git

FORGES = {"github": ".github/workflows/update.yml", "gitlab": ".gitlab-ci.yml"}
BRANCH, TITLE = "template-update", "Update from the template: v1.1.0"
GH = f"""#!/bin/sh
echo "$*" >>LOG
case "$*" in
  "pr list --head {BRANCH} --state closed "*) cat LOG.closed ;;
  "pr list --head {BRANCH} --state open "*) ! grep -q "^pr create" LOG || echo 7 ;;
esac
"""
# Each job runs at another time.
CLOCK = itertools.count(1_800_000_000)
HOOK = "#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ | cut -d = -f 2- >>LOG\n"


def scripts(pipeline: Path, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return the shell scripts of a job and their variables, but not those that install uv."""
    content = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
    if "jobs" not in content:
        return [("\n".join(line for line in content[name]["script"] if not line.startswith("pip ")), {})]
    steps = [step for step in content["jobs"][name]["steps"] if "run" in step]
    return [(step["run"], step.get("env", {})) for step in steps if not step["run"].startswith("pip ")]


def run(script: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the forges do: Bash stops at the first command that fails."""
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, "CI": "true", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@dataclass
class Project:
    """A service on a forge, whose template has a newer version."""

    forge: str
    folder: Path
    pipeline: Path

    def __post_init__(self) -> None:
        """Make its repositories."""
        self.origin, self.temp = self.folder / "origin.git", self.folder / "temp"
        self.template, self.service = self.folder / "template", self.folder / "service"
        self.log_file, self.closed = self.folder / "log", self.folder / "log.closed"
        # Where a job finds the patch.
        self.patch = self.temp / ("update/update.patch" if self.forge == "github" else "update.patch")
        for folder in (self.template, self.service, self.patch.parent, self.folder / "bin"):
            folder.mkdir(parents=True)
        (self.template / "copier.yml").touch()
        (self.template / "{{ _copier_conf.answers_file }}.jinja").write_text("{{ _copier_answers | to_nice_yaml }}")
        (self.template / "text.txt").write_text("old\n")
        self.release("v1.0.0")
        (self.service / ".copier-answers.yml").write_text(f"_commit: v1.0.0\n_src_path: {self.template}\n")
        (self.service / "text.txt").write_text("old\n")
        commit(self.service)
        git(self.folder, "clone", "--quiet", "--bare", self.service, self.origin)
        git(self.origin, "config", "receive.advertisePushOptions", "true")
        for file, text in {self.origin / "hooks/pre-receive": HOOK, self.folder / "bin/gh": GH}.items():
            file.write_text(text.replace("LOG", str(self.log_file)))
            file.chmod(0o755)
        self.log_file.touch()
        self.closed.touch()

    def release(self, version: str) -> None:
        """Release the template."""
        commit(self.template)
        git(self.template, "tag", version)

    def run(self, job: str, token: str = "") -> tuple[int, str]:
        """Run a job in a new checkout; return the exit status of its last step, and all output."""
        checkout, output = self.folder / "checkout", ""
        shutil.rmtree(checkout, ignore_errors=True)
        git(self.folder, "clone", "--quiet", self.origin, checkout)
        values = {"secrets.TEMPLATE_TOKEN": "template-token", "github.token": "job-token", "runner.temp": self.temp}
        variables = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": str(self.temp / "gitconfig"),
            "GIT_COMMITTER_DATE": f"{next(CLOCK)} +0000",
            # The forge is the local repository.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.origin}.insteadOf",
            "GIT_CONFIG_VALUE_0": f"https://{BRANCH}:own-token@forge.example.com/org/service.git",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REPOSITORY": "org/service",
            "GITHUB_SERVER_URL": "https://forge.example.com",
            "RUNNER_TEMP": str(self.temp),
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SHA": git(self.origin, "rev-parse", "main"),
            "CI_JOB_TOKEN": "job-token",
            "CI_PROJECT_DIR": str(self.temp),
            "CI_PROJECT_URL": "https://forge.example.com/org/service",
            "CI_REPOSITORY_URL": str(self.origin),
            "CI_SERVER_HOST": "forge.example.com",
            "CI_SERVER_PROTOCOL": "https",
            "TEMPLATE_UPDATE_TOKEN": token,
        }
        for script, env in scripts(self.pipeline, job):
            for name, value in values.items():
                env = {key: text.replace(f"${{{{ {name} }}}}", str(value)) for key, text in env.items()}
            result = run(script, checkout, **{**variables, **env})
            output += result.stdout
            if result.returncode:
                return result.returncode, output
        return 0, output

    def update(self) -> tuple[int, str]:
        """Run the job that makes a patch, and hand that over."""
        status, output = self.run("update")
        made = self.temp if self.forge == "github" else self.folder / "checkout"
        if status == 0:
            (made / "update.patch").replace(self.patch)
        return status, output

    def hand_over(self, name: str = "text.txt", text: str = "new\n", link: str = "") -> None:
        """Hand over a patch, without running Copier."""
        clone = self.folder / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        git(self.folder, "clone", "--quiet", self.origin, clone)
        answers = clone / ".copier-answers.yml"
        answers.write_text(answers.read_text().replace("v1.0.0", "v1.1.0"))
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        if link:
            (clone / name).symlink_to(link)
        else:
            (clone / name).write_text(text)
        git(clone, "add", "--all")
        self.patch.write_text(git(clone, "diff", "--cached", "--binary", "--full-index") + "\n")

    def propose(self) -> tuple[int, str]:
        """Run the job that proposes the patch."""
        return self.run("propose", token="own-token")

    @property
    def log(self) -> list[str]:
        """Return what the forge was asked to do."""
        return self.log_file.read_text().splitlines()

    @property
    def proposed(self) -> str:
        """Return the commit on the branch of updates, if there is one."""
        return git(self.origin, "for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")

    @property
    def requests(self) -> int:
        """Return how many requests were opened."""
        start = {"github": f"pr create --head {BRANCH} --base main --title ", "gitlab": "merge_request.title="}
        return sum(line.startswith(start[self.forge] + TITLE) for line in self.log)


@pytest.fixture(params=FORGES)
def project(request, render, tmp_path):
    return Project(request.param, tmp_path, render(ci=request.param) / FORGES[request.param])


def test_newer_version_is_proposed_and_tested(project):
    (project.template / "text.txt").write_text("new\n")
    project.release("v1.1.0")

    status, output = project.update()
    assert status == 0, output
    status, output = project.propose()

    assert status == 0, output
    assert project.requests == 1, project.log
    assert git(project.origin, "show", f"{BRANCH}:text.txt") == "new"
    assert git(project.origin, "log", "--format=%s", f"main..{BRANCH}") == TITLE
    # GitLab tests a merge request by itself.
    assert project.forge == "gitlab" or f"workflow run test.yml --ref {BRANCH}" in project.log


def test_latest_version_proposes_nothing(project):
    assert project.update()[0] == 0
    assert project.propose()[0] == 0
    assert (project.log, project.proposed) == ([], "")


def test_conflict_fails_and_names_the_file(project):
    (project.template / "text.txt").write_text("theirs\n")
    project.release("v1.1.0")
    (project.service / "text.txt").write_text("ours\n")
    commit(project.service)
    git(project.service, "push", "--quiet", project.origin, "main")

    status, output = project.update()

    assert status == 1
    assert "Update by hand, and resolve the conflicts in text.txt." in output


def test_private_template_is_read_with_a_token(project):
    project.update()

    login = {"github": "x-access-token:template-token", "gitlab": "gitlab-ci-token:job-token"}[project.forge]
    for url in ("https://forge.example.com/", "git@forge.example.com:", "ssh://git@forge.example.com/"):
        script = f"git ls-remote --get-url {url}org/template.git"
        result = run(script, project.folder, GIT_CONFIG_GLOBAL=str(project.temp / "gitconfig"))
        assert result.stdout == f"https://{login}@forge.example.com/org/template.git\n"


def test_patch_that_changes_the_ci_is_refused(project):
    name = {"github": ".github/workflows/new.yml", "gitlab": ".gitlab-ci.yml"}[project.forge]
    project.hand_over(name, "on: push\n")

    status, output = project.propose()

    assert status == 1
    assert f"\n{name}\n" in f"\n{output}"
    assert "review and push that by hand" in output
    assert (project.log, project.proposed) == ([], "")


def test_patch_with_a_symbolic_link_is_refused(project):
    project.hand_over("link", link="/proc/self/environ")

    status, output = project.propose()

    assert status == 1
    assert "The patch contains more than regular files" in output
    assert (project.log, project.proposed) == ([], "")


def test_closed_request_is_not_opened_again(project):
    project.hand_over()
    if project.forge == "github":
        project.closed.write_text(f"{TITLE}\n")
    else:
        # The branch of a closed request stays.
        project.propose()
    before = project.proposed, project.requests

    assert project.propose()[0] == 0
    assert (project.proposed, project.requests) == before


def test_open_request_is_refreshed(project):
    project.hand_over()
    project.propose()
    before = project.proposed
    project.propose()
    assert project.proposed == before, "the same update must stay the same commit"
    project.hand_over(text="newer\n")
    project.patch.write_text(project.patch.read_text().replace("v1.1.0", "v1.2.0"))

    status, output = project.propose()

    assert status == 0, output
    assert git(project.origin, "show", f"{BRANCH}:text.txt") == "newer"
    refreshed = "api --silent --method PATCH repos/org/service/pulls/7 --raw-field title="
    assert project.forge == "gitlab" or refreshed + TITLE.replace("1.1", "1.2") in project.log


def test_commits_of_others_on_the_branch_are_kept(project):
    project.hand_over()
    git(project.service, "push", "--quiet", project.origin, f"main:{BRANCH}")
    before = project.proposed

    status, output = project.propose()

    assert (status, project.proposed, project.requests) == (0, before, 0)
    assert f"The branch {BRANCH} has commits of other authors" in output


def test_job_with_third_party_code_refuses_the_token_that_pushes(render, tmp_path):
    ((script, _),) = scripts(render(ci="gitlab") / FORGES["gitlab"], "update")

    result = run(script, tmp_path, TEMPLATE_UPDATE_TOKEN="own-token")

    assert result.returncode == 1
    assert "Limit the variable TEMPLATE_UPDATE_TOKEN to the environment template-update" in result.stdout


@pytest.mark.parametrize("forge", FORGES)
def test_checks_pass(scaffold, forge):
    service = scaffold(ci=forge)
    pipeline = {"github": ".github/workflows/test.yml", "gitlab": ".gitlab-ci.yml"}[forge]

    for script, env in scripts(service.folder / pipeline, "check"):
        result = run(script, service.folder, **env)
        assert result.returncode == 0, result.stdout
