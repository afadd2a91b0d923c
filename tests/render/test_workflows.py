"""The CI configuration of services is valid, secure, and matches the README; tests/service/ runs it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from support import TEMPLATE

FORGES = ["github", "gitlab"]
SCHEMAS = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}


def pipelines(service: Path) -> list[Path]:
    return sorted([*service.glob(".github/workflows/*.yml"), *service.glob(".gitlab-ci.yml")])


def check(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def check_schema(forge: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return check("check-jsonschema", "--builtin-schema", SCHEMAS[forge], *files)


def check_security(folder: Path) -> subprocess.CompletedProcess[str]:
    # Without configuration; a finding that a comment ignores would be reported as ignored.
    return check("zizmor", "--offline", "--no-config", "--persona", "auditor", "--no-progress", folder)


def scripts(pipeline: Path) -> list[str]:
    """Return the shell script of each step (GitHub) or each job (GitLab)."""
    content = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
    if "jobs" in content:
        return [step["run"] for job in content["jobs"].values() for step in job["steps"] if "run" in step]
    sections = [section for section in content.values() if isinstance(section, dict)]
    return [
        "\n".join(section[part])
        for section in sections
        for part in ("before_script", "script", "after_script")
        if part in section
    ]


def broken(service: Path, folder: Path, pattern: str, replacement: str) -> Path:
    """Copy a service's workflows with a replacement; *pattern* has to match at least once."""
    found = 0
    for file in pipelines(service):
        text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"))
        found += count
        (folder / file.relative_to(service)).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.relative_to(service)).write_text(text, encoding="utf-8")
    assert found, f"no {pattern}"
    return folder


@pytest.mark.parametrize("forge", FORGES)
def test_pipelines_fit_their_published_schema(forge, render):
    result = check_schema(forge, *pipelines(render(ci=forge)))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("forge", FORGES)
def test_pipelines_with_a_database_fit_and_are_secure(forge, render):
    service = render(ci=forge, database="postgresql")

    assert check_schema(forge, *pipelines(service)).returncode == 0
    # Without the persona auditor, which requires a digest of the database's image.
    security = check("zizmor", "--offline", "--no-config", "--no-progress", service)
    assert forge == "gitlab" or security.returncode == 0, security.stdout


@pytest.mark.parametrize(
    ("forge", "pattern", "replacement"),
    [
        ("github", "runs-on:", "run-on:"),
        ("github", "timeout-minutes: 20", "timeout-minutes: soon"),
        ("github", "contents: read", "contents: all"),
        ("github", r"- cron:", "- corn:"),
        ("gitlab", "timeout: 30 minutes", "timeout: [30]"),
        ("gitlab", "when: manual", "when: sometimes"),
        ("gitlab", "script:\n    - uv sync", "skript:\n    - uv sync"),
    ],
)
def test_a_pipeline_that_does_not_fit_is_refused(forge, pattern, replacement, render, tmp_path):
    assert check_schema(forge, *pipelines(broken(render(ci=forge), tmp_path, pattern, replacement))).returncode == 1


def test_dependabot_reads_its_configuration(render, tmp_path):
    file = render(ci="github") / ".github/dependabot.yml"
    assert check("check-jsonschema", "--builtin-schema", "vendor.dependabot", file).returncode == 0

    broken_file = tmp_path / "dependabot.yml"
    broken_file.write_text(file.read_text().replace("weekly", "each week"))
    assert check("check-jsonschema", "--builtin-schema", "vendor.dependabot", broken_file).returncode == 1


def test_workflows_are_secure(render):
    result = check_security(render(ci="github"))
    assert result.returncode == 0, result.stdout
    assert "No findings" in result.stdout
    assert "ignored" not in result.stdout


@pytest.mark.parametrize(
    ("pattern", "replacement", "finding"),
    [
        (r"@[0-9a-f]{40}  # v[\d.]+", "@v6", "unpinned-uses"),
        (r"        with:\n          persist-credentials: false\n", "", "artipacked"),
        ("pull_request:", "pull_request_target:", "dangerous-triggers"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        (r"uv run mypy", "echo ${{ github.head_ref }}", "template-injection"),
        ("concurrency:\n  group: update\n  cancel-in-progress: false\n", "", "concurrency-limits"),
        ("    environment:\n      name: template-update\n      deployment: false\n", "", "secrets-outside-env"),
    ],
)
def test_an_insecure_workflow_is_refused(pattern, replacement, finding, render, tmp_path):
    result = check_security(broken(render(ci="github"), tmp_path, pattern, replacement))
    assert result.returncode != 0
    assert finding in result.stdout


@pytest.mark.parametrize("forge", FORGES)
def test_shell_steps_are_clean(forge, render, tmp_path):
    for pipeline in pipelines(render(ci=forge)):
        found = scripts(pipeline)
        assert found
        for script in found:
            step = tmp_path / "step"
            step.write_text(script, encoding="utf-8")
            result = check("shellcheck", "--shell=bash", "--enable=quote-safe-variables", step)
            assert result.returncode == 0, result.stdout


def test_every_job_has_a_timeout(render):
    for pipeline in pipelines(render(ci="github")):
        for job in yaml.safe_load(pipeline.read_text(encoding="utf-8"))["jobs"].values():
            assert 0 < job["timeout-minutes"] <= 30
    assert yaml.safe_load((render(ci="gitlab") / ".gitlab-ci.yml").read_text(encoding="utf-8"))["default"]["timeout"]


@pytest.mark.parametrize("forge", FORGES)
def test_ci_runs_the_commands_of_the_readme(forge, render):
    service = render(ci=forge)
    readme = (service / "README.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\$ (.*)$", readme.partition("## Test\n")[2].partition("\n## ")[0], re.MULTILINE)
    assert documented == ["uv run poe check", "uv run poe image"]
    tasks = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["poe"]["tasks"]
    checks = sorted(f"uv run {step['cmd']}" for step in tasks["check"]["sequence"])
    contract = f"uv run {tasks['image']['cmd']}"
    commands = [line for pipeline in pipelines(service) for script in scripts(pipeline) for line in script.splitlines()]
    update = (service / ".ci/update").read_text(encoding="utf-8").partition("checks=(\n")[2].partition("\n)")[0]

    assert len(checks) == 4
    assert sorted(line for line in commands if line in checks) == checks
    assert commands.count(contract) == 1
    first, *others = re.findall("'(.*)'", update)
    assert (first, sorted(others)) == ("uv sync --locked", checks)


@pytest.mark.parametrize("forge", FORGES)
def test_jobs_that_may_have_the_token_install_nothing(forge, render):
    contents = [yaml.safe_load(pipeline.read_text(encoding="utf-8")) for pipeline in pipelines(render(ci=forge))]
    jobs = {name: job for content in contents for name, job in content.get("jobs", content).items()}
    inherited = {
        name: {**jobs.get(job.get("extends"), {}), **job} for name, job in jobs.items() if isinstance(job, dict)
    }
    with_token = {name: str(job) for name, job in inherited.items() if "environment" in job and name != ".with-token"}

    assert with_token.keys() == {"template", "propose"}
    assert not [job for job in with_token.values() if re.search(r"\b(uv|uvx|pip|apt-get|setup-python)\b", job)]
    if forge == "github":
        assert {name for name, job in jobs.items() if "secrets." in str(job) or "github.token" in str(job)} == set(
            with_token
        )
        assert [name for name, job in jobs.items() if "write" in job["permissions"].values()] == ["propose"]
    else:
        assert all("'GIT_STRATEGY': 'none'" in job for job in with_token.values())


def test_copier_in_ci_is_what_the_template_is_tested_with(render):
    pinned = (render(ci="github") / ".ci/copier.txt").read_text(encoding="utf-8").splitlines()
    ours = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]

    assert {one for one in ours if one.startswith(("copier", "jinja2-time"))} <= set(pinned)


def test_uv_is_the_same_in_ci_and_in_the_image(render):
    for forge in FORGES:
        service = render(ci=forge)
        (image,) = re.findall(r"/uv:([\d.]+)", (service / "Dockerfile").read_text(encoding="utf-8"))
        for pipeline in pipelines(service):
            content = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
            assert content.get("env", content.get("variables"))["UV_VERSION"] == image
