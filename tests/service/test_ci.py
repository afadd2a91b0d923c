"""The CI jobs of a service, with their shell steps run for real: the checks, and the update of update.yml.

The repositories are local ones; the template is a small one with two releases. GitHub itself can't be had here: `gh` is a
script that records its arguments, and GitLab is a repository that records push options.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

FORGES = ["github", "gitlab"]
BRANCH = "template-update"
TITLE = "Update from the template: v1.1.0"
PIPELINES = {"github": ".github/workflows/new.yml", "gitlab": ".gitlab-ci.yml"}
CREATED = {
    "github": f"pr create --head {BRANCH} --base main --title {TITLE}",
    "gitlab": f"merge_request.title={TITLE}",
}

GH = f"""#!/bin/sh
echo "$*" >>LOG
case "$*" in
  "pr list --head {BRANCH} --state closed "*) cat LOG.closed ;;
  "pr list --head {BRANCH} --state open "*) ! grep -q "^pr create" LOG || echo 7 ;;
esac
"""
HOOK = "#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ | cut -d = -f 2- >>LOG\n"
COPIER = '_answers_file: .copier-answers.yml\n_templates_suffix: .jinja\nname: {type: str, default: "my-service"}\n'


def git(folder: Path, *arguments: str | Path) -> str:
    """Run git and return its output."""
    result = subprocess.run(["git", "-C", folder, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return result.stdout.strip()


def commit(folder: Path, message: str, **files: str) -> None:
    """Write files, by their stems, and commit them."""
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", f"--message={message}")


def scripts(pipeline: Path, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return the shell scripts of a job, with their variables, but not those that install uv."""
    content = yaml.safe_load(pipeline.read_text())
    if "jobs" not in content:
        lines = [line for line in content[name]["script"] if not line.startswith("pip install")]
        return [("\n".join(lines), {})]
    job = content["jobs"][name]
    steps = [(step.get("run", "pip install"), step.get("env", {})) for step in job["steps"]]
    return [(run, {**job.get("env", {}), **env}) for run, env in steps if not run.startswith("pip install")]


def run(script: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as the forges do: in Bash, which stops at the first failing command."""
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
    """A service's repository on a forge, and its template."""

    forge: str
    folder: Path
    pipeline: Path

    @property
    def origin(self) -> Path:
        """Return the repository."""
        return self.folder / "origin.git"

    @property
    def temp(self) -> Path:
        """Return the folder from which and to which a job hands over."""
        return self.folder / "temp"

    @property
    def env(self) -> dict[str, str]:
        """Return the variables of a job."""
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": str(self.temp / "gitconfig"),
            **{"GITHUB_REF_NAME": "main", "GITHUB_REPOSITORY": "org/service", "RUNNER_TEMP": str(self.temp)},
            **{"GITHUB_SERVER_URL": "https://forge.example.com", "CI_SERVER_HOST": "forge.example.com"},
            **{"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": git(self.origin, "rev-parse", "main")},
            **{"CI_REPOSITORY_URL": str(self.origin), "CI_SERVER_PROTOCOL": "https", "CI_JOB_TOKEN": "job-token"},
            **{"CI_PROJECT_DIR": str(self.temp), "CI_PROJECT_URL": "https://forge.example.com/org/service"},
            # Where the forge would be.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.origin}.insteadOf",
            "GIT_CONFIG_VALUE_0": f"https://{BRANCH}:own-token@forge.example.com/org/service.git",
        }

    def run(self, job: str, **variables: str) -> tuple[int, str]:
        """Run a job in a new checkout; return the exit status of its last step, and all output."""
        checkout, output = self.folder / "checkout", ""
        shutil.rmtree(checkout, ignore_errors=True)
        git(self.folder, "clone", "--quiet", self.origin, checkout)
        known = {"secrets.TEMPLATE_TOKEN": "template-token", "github.token": "job-token", "runner.temp": str(self.temp)}
        for script, env in scripts(self.pipeline, job):
            for name, value in known.items():
                env = {key: text.replace("${{ %s }}" % name, value) for key, text in env.items()}
            result = run(script, checkout, {**self.env, **env, **variables})
            output += result.stdout
            if result.returncode:
                return result.returncode, output
        return 0, output

    def update(self) -> tuple[int, str]:
        """Run the job that makes a patch, and hand that over."""
        status, output = self.run("update", TEMPLATE_UPDATE_TOKEN="")
        if self.forge == "github" and not status:
            (self.temp / "update").mkdir(exist_ok=True)
            (self.temp / "update.patch").replace(self.temp / "update" / "update.patch")
        elif not status:
            (self.folder / "checkout/update.patch").replace(self.temp / "update.patch")
        return status, output

    def propose(self) -> tuple[int, str]:
        """Run the job that proposes the patch."""
        return self.run("propose", TEMPLATE_UPDATE_TOKEN="own-token")

    def hand_over(self, *, link: str = "", **files: str) -> None:
        """Hand over a patch that adds files to version 1.1.0, without running Copier."""
        team = self.folder / "team"
        shutil.rmtree(team, ignore_errors=True)
        git(self.folder, "clone", "--quiet", self.origin, team)
        answers = team / ".copier-answers.yml"
        answers.write_text(answers.read_text().replace("v1.0.0", "v1.1.0"))
        for name, text in files.items():
            (team / name).parent.mkdir(parents=True, exist_ok=True)
            (team / name).write_text(text)
        if link:
            (team / "link").symlink_to(link)
        git(team, "add", "--all")
        patch = git(team, "diff", "--cached", "--binary", "--full-index") + "\n"
        target = self.temp / "update" if self.forge == "github" else self.temp
        target.mkdir(exist_ok=True)
        (target / "update.patch").write_text(patch)

    @property
    def log(self) -> list[str]:
        """Return what the forge was asked to do."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def proposed(self) -> str:
        """Return the commit on the branch of updates."""
        return git(self.origin, "for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")

    @property
    def requests(self) -> int:
        """Return how many requests were opened."""
        return sum(line.startswith(CREATED[self.forge]) for line in self.log)


@pytest.fixture(params=FORGES)
def project(request, render, tmp_path):
    """Return a service of version 1.0.0, whose template has version 1.1.0."""
    pipeline = {"github": ".github/workflows/update.yml", "gitlab": ".gitlab-ci.yml"}[request.param]
    project = Project(request.param, tmp_path, render(ci=request.param) / pipeline)
    template, service = tmp_path / "template", tmp_path / "service"
    for folder in (template, project.temp, tmp_path / "bin"):
        folder.mkdir()
    git(template, "init", "--quiet", "--initial-branch=main")
    (template / "copier.yml").write_text(COPIER)
    (template / ".copier-answers.yml.jinja").write_text("{{ _copier_answers | to_nice_yaml }}")
    commit(template, "1.0.0", text="one\n")
    git(template, "tag", "v1.0.0")
    subprocess.run(["copier", "copy", "--quiet", "--defaults", template, service], check=True)
    commit(template, "1.1.0", text="two\n")
    git(template, "tag", "v1.1.0")
    git(service, "init", "--quiet", "--initial-branch=main")
    commit(service, "Start")
    git(tmp_path, "clone", "--quiet", "--bare", service, project.origin)
    git(project.origin, "config", "receive.advertisePushOptions", "true")
    for file, text in {project.origin / "hooks/pre-receive": HOOK, tmp_path / "bin/gh": GH}.items():
        file.write_text(text.replace("LOG", str(tmp_path / "log")))
        file.chmod(0o755)
    (tmp_path / "log.closed").touch()
    return project


def test_newer_version_is_proposed(project):
    status, output = project.update()
    assert status == 0, output
    status, output = project.propose()

    assert status == 0, output
    assert project.requests == 1, project.log
    assert git(project.origin, "show", f"{BRANCH}:text.txt") == "two"
    assert git(project.origin, "log", "-1", "--format=%s %P", BRANCH) == f"{TITLE} {git(project.origin, 'rev-parse', 'main')}"
    # GitLab starts a pipeline itself.
    assert project.forge == "gitlab" or f"workflow run test.yml --ref {BRANCH}" in project.log


def test_latest_version_proposes_nothing(project):
    git(project.folder / "template", "tag", "--delete", "v1.1.0")

    assert project.update()[0] == project.propose()[0] == 0
    assert (project.log, project.proposed) == ([], "")


def test_conflict_fails_and_names_the_file(project):
    commit(project.folder / "service", "Edit", text="ours\n")
    git(project.folder / "service", "push", "--quiet", project.origin, "main")

    status, output = project.update()

    assert status == 1
    assert "Update by hand, and resolve the conflicts in text.txt." in output


@pytest.mark.parametrize("url", ["https://forge.example.com/", "git@forge.example.com:", "ssh://git@forge.example.com/"])
def test_private_template_is_read_with_a_token(project, url):
    project.update()

    login = {"github": "x-access-token:template-token", "gitlab": "gitlab-ci-token:job-token"}[project.forge]
    config = {**os.environ, "GIT_CONFIG_GLOBAL": project.env["GIT_CONFIG_GLOBAL"]}
    command = ["git", "ls-remote", "--get-url", f"{url}org/template.git"]
    found = subprocess.run(command, env=config, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    assert found == f"https://{login}@forge.example.com/org/template.git"


def test_patch_that_changes_ci_is_refused(project):
    project.hand_over(**{PIPELINES[project.forge]: "on: push\n"})

    status, output = project.propose()

    assert status == 1
    assert PIPELINES[project.forge] in output
    assert "review and push that by hand" in output
    assert (project.log, project.proposed) == ([], "")


def test_patch_with_a_symbolic_link_is_refused(project):
    project.hand_over(link="/proc/self/environ")

    status, output = project.propose()

    assert status == 1
    assert "The patch contains more than regular files" in output
    assert (project.log, project.proposed) == ([], "")


def test_closed_request_is_not_opened_again(project):
    project.hand_over()
    if project.forge == "github":
        (project.folder / "log.closed").write_text(f"{TITLE}\n")
        assert project.propose()[0] == 0
    else:
        # GitLab keeps the branch of a closed request.
        assert project.propose()[0] == project.propose()[0] == 0

    assert project.requests == (0 if project.forge == "github" else 1)


def test_open_request_is_refreshed(project):
    project.hand_over()
    project.propose()
    before = project.proposed
    project.propose()
    assert project.proposed == before, "the same update is the same commit"

    project.hand_over(**{"new.txt": "new\n"})
    if project.forge == "gitlab":
        git(project.origin, "branch", "--quiet", "--delete", "--force", BRANCH)
    assert project.propose()[0] == 0

    assert git(project.origin, "show", f"{BRANCH}:new.txt") == "new"
    assert project.forge == "gitlab" or f"api --silent --method PATCH repos/org/service/pulls/7 --raw-field title={TITLE}" in project.log


def test_commits_of_others_on_the_branch_are_kept(project):
    project.hand_over()
    git(project.folder / "service", "push", "--quiet", project.origin, f"main:{BRANCH}")
    before = project.proposed

    status, output = project.propose()

    assert (status, project.proposed, project.requests) == (0, before, 0)
    assert f"Somebody works on the branch {BRANCH}" in output


def test_update_on_gitlab_must_not_see_the_token_that_pushes(render, tmp_path):
    ((script, _),) = scripts(render(ci="gitlab") / ".gitlab-ci.yml", "update")

    result = run(script, tmp_path, {"TEMPLATE_UPDATE_TOKEN": "own-token"})

    assert result.returncode == 1
    assert "Limit the variable TEMPLATE_UPDATE_TOKEN to the environment template-update" in result.stdout


@pytest.mark.parametrize("forge", FORGES)
def test_checks_pass(render, tmp_path, forge):
    service = render(ci=forge)
    pipeline = service / {"github": ".github/workflows/test.yml", "gitlab": ".gitlab-ci.yml"}[forge]
    checkout = shutil.copytree(service, tmp_path / "service")
    git(checkout, "init", "--quiet")
    subprocess.run(["uv", "lock", "--quiet"], cwd=checkout, check=True)

    for script, env in scripts(pipeline, "check"):
        result = run(script, checkout, env)
        assert result.returncode == 0, result.stdout
