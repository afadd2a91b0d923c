"""The manifests for Kubernetes: valid, locked down, ordered, and in agreement with the service."""

import re
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

# The oldest version that docs/operations.md names, and the newest whose schemas there are.
VERSIONS = ["1.27", "1.37"]
OPTIONS = [{}, {"database": "postgresql"}, {"database": "postgresql", "jobs": "procrastinate"}]
SERVERS = [("flask", "uwsgi"), ("flask", "gunicorn"), ("django", "granian"), ("fastapi", "uvicorn")]
WAVE = "argocd.argoproj.io/sync-wave"
COMPONENT = "app.kubernetes.io/component"


def kustomize(service: Path, environment: str = "production") -> list[dict[str, Any]]:
    """Return the objects of an environment."""
    overlay = service / "deploy/kubernetes/overlays" / environment
    result = subprocess.run(["kubectl", "kustomize", overlay], check=True, capture_output=True, text=True)
    assert not result.stderr
    return list(yaml.safe_load_all(result.stdout))


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the specification of each pod, by the name of what makes it."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in objects
        if "template" in each.get("spec", {})
    }


@pytest.mark.parametrize("framework", ["flask", "django", "fastapi"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "alone")
def test_manifests_are_valid_and_locked_down(render, framework, options):
    service = render(framework=framework, deploy="kubernetes", **options)
    for environment, version in product(["production", "staging"], VERSIONS):
        for each in kustomize(service, environment):
            kubernetes_validate.validate(each, version, strict=True)

    found = pods(kustomize(service))
    assert len(found) == 1 + len(options)
    for pod in found.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["image"].startswith("my-service@sha256:")
        assert container["resources"]["limits"].keys() == {"memory"}
        assert container["envFrom"][1]["secretRef"]["name"] == "my-service"


@pytest.mark.parametrize("name", ["Café & Söhne", 'Tom "the cat" \\ $HOME', "yes", "1984"])
def test_manifests_are_valid_for_any_name(render, name):
    service = render(deploy="kubernetes", project_name=name, image_name="registry.example.com:5000/team/name")
    for each in kustomize(service):
        kubernetes_validate.validate(each, VERSIONS[-1], strict=True)


def test_migrations_come_before_the_worker_and_the_worker_before_the_web_service(render):
    objects = kustomize(render(deploy="kubernetes", **OPTIONS[2]))
    steps: dict[str, set[str]] = {}
    for each in objects:
        component = each["metadata"]["labels"].get(COMPONENT, "")
        wave = each["metadata"].get("annotations", {}).get(WAVE, "0")
        # What kubectl selects, and what Argo CD's waves order.
        assert wave == {"": "0", "worker": "1", "web": "2"}[component]
        steps.setdefault(component, set()).add(each["kind"])

    assert steps[""] == {"Namespace", "ConfigMap", "NetworkPolicy", "Service", "PodDisruptionBudget", "Job"}
    assert steps["worker"] == {"Deployment"}
    assert steps["web"] == {"Deployment", "HorizontalPodAutoscaler"}


@pytest.mark.parametrize(("framework", "server"), SERVERS)
def test_grace_period_covers_the_pause_and_the_longest_request(render, framework, server):
    service = render(deploy="kubernetes", framework=framework, server=server)
    pod = pods(kustomize(service))["my-service"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
    files = [service / "docker-entrypoint.sh", *service.glob("etc/*")]
    configured = "\n".join(file.read_text() for file in files)
    longest = re.search(r"harakiri = (\d+)|--workers-kill-timeout (\d+)", configured)

    assert bool(longest) == (server in ("uwsgi", "granian"))
    assert pod["terminationGracePeriodSeconds"] >= pause + int(longest[longest.lastindex] if longest else 60) + 5


def test_grace_period_of_a_worker_covers_the_time_for_its_jobs(render):
    service = render(deploy="kubernetes", **OPTIONS[2])
    (timeout,) = re.findall(r"^STOP_TIMEOUT = (\d+)$", (service / "src/my_service/worker.py").read_text(), re.MULTILINE)

    assert pods(kustomize(service))["my-service-worker"]["terminationGracePeriodSeconds"] == int(timeout) + 5


def test_service_without_kubernetes_does_not_mention_it(render):
    service = render(**OPTIONS[2])
    for file in service.rglob("*"):
        if file.is_file() and file.name != ".copier-answers.yml":
            assert not re.search("kubectl|argocd|overlays", file.read_text()), file
