"""The CI configuration of services is valid, secure and pinned; tests/service/test_ci.py runs it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from support import TEMPLATE

FORGES = ["github", "gitlab"]
SCHEMAS = {"test.yml": "github-workflows", "update.yml": "github-workflows", "dependabot.yml": "dependabot"}


def pipelines(service: Path) -> list[Path]:
    """Return the files of a service's CI."""
    return sorted([*service.glob(".github/**/*.yml"), *service.glob(".gitlab-ci.yml")])


def tool(name: str, *arguments: str | Path) -> str:
    """Run a tool of the development environment; return its output, and nothing if it succeeds."""
    command = [Path(sys.executable).with_name(name), *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.stdout if result.returncode else ""


def scripts(pipeline: Path) -> list[str]:
    """Return the shell script of each step (GitHub) or job (GitLab)."""
    content = yaml.safe_load(pipeline.read_text(encoding="utf-8"))
    if "jobs" in content:
        return [step["run"] for job in content["jobs"].values() for step in job["steps"] if "run" in step]
    return ["\n".join(job["script"]) for job in content.values() if "script" in job]


@pytest.mark.parametrize("database", ["none", "postgresql"])
@pytest.mark.parametrize("forge", FORGES)
def test_configuration_is_valid(render, tmp_path, forge, database):
    for file in pipelines(render(ci=forge, database=database)):
        schema = SCHEMAS.get(file.name, "gitlab-ci")
        assert not tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", file)
        if file.name != "dependabot.yml":
            assert scripts(file)
            for script in scripts(file):
                assert "${{" not in script
                step = tmp_path / "step"
                step.write_text(script, encoding="utf-8")
                # The forges' shells stop at a `cd` that fails.
                assert not tool("shellcheck", "--shell=bash", "--exclude=SC2164", step)


def test_workflows_are_secure(render):
    # The secret that reads a private template may belong to the organization, so it needs no environment.
    assert not tool("zizmor", "--offline", "--no-config", "--no-progress", "--persona=pedantic", render(ci="github"))


@pytest.mark.parametrize(
    ("pattern", "replacement", "finding"),
    [
        (r"@[0-9a-f]{40}  # v[\d.]+", "@v6", "unpinned-uses"),
        (r"        with:\n          persist-credentials: false\n", "", "artipacked"),
        ("pull_request:", "pull_request_target:", "dangerous-triggers"),
        (r"permissions:\n      contents: read  # .*", "permissions: write-all", "excessive-permissions"),
        ("uv run poe check", "echo ${{ github.head_ref }}", "template-injection"),
    ],
)
def test_insecure_workflow_is_found(render, tmp_path, pattern, replacement, finding):
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    for file in render(ci="github").glob(".github/workflows/*"):
        text = re.sub(pattern, replacement, file.read_text(encoding="utf-8"))
        (folder / file.name).write_text(text, encoding="utf-8")
    assert finding in tool("zizmor", "--offline", "--no-config", "--no-progress", tmp_path)


@pytest.mark.parametrize("forge", FORGES)
def test_only_the_job_without_third_party_code_can_write(render, forge):
    contents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in pipelines(render(ci=forge))]
    jobs = {name: str(job) for content in contents for name, job in content.get("jobs", content).items()}
    can_write = {name for name, job in jobs.items() if "'write'" in job or "'environment'" in job}

    assert can_write == {"propose"}
    assert not re.search(r"\b(uv|uvx|pip|setup-python)\b", jobs["propose"])


def test_versions_are_those_that_the_template_is_tested_with(render):
    ours = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]
    tested = dict(one.split("==") for one in ours)
    for forge in FORGES:
        service = render(ci=forge)
        (uv,) = re.findall(r"/uv:([\d.]+)", (service / "Dockerfile").read_text(encoding="utf-8"))
        text = "".join(file.read_text(encoding="utf-8") for file in pipelines(service))
        assert set(re.findall(r'\buv==([\d.]+)|UV_VERSION: "([\d.]+)"', text)) <= {(uv, ""), ("", uv)}
        for name in ("copier", "jinja2-time", "copier-template-extensions"):
            assert set(re.findall(rf"\b{name}(?:==|@)([\d.]+)", text)) == {tested[name]}
