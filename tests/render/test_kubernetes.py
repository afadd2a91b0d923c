"""The manifests for Kubernetes: valid, locked down, and in agreement with the service."""

import configparser
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from offered import PAIRS

# The oldest version that docs/kubernetes.md names, and the newest whose schemas there are.
VERSIONS = ["1.27", "1.37"]
ENVIRONMENTS = ["production", "staging"]
EXTRAS = [{}, {"database": "postgresql"}, {"database": "postgresql", "jobs": "procrastinate"}]
SERVICES = [
    pytest.param({"framework": framework, "server": server, **extras}, id="-".join([framework, server, *extras]))
    for framework, server in PAIRS
    for extras in EXTRAS
]


def kustomize(service: Path, environment: str = "production") -> list[dict[str, Any]]:
    """Return the objects of an environment."""
    folder = service / "deploy/kubernetes/overlays" / environment
    result = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True)
    assert not result.stderr
    return list(yaml.safe_load_all(result.stdout))


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the names and specifications of all pods."""
    for each in objects:
        if "template" in each.get("spec", {}):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.mark.parametrize("answers", SERVICES)
def test_manifests_are_valid(render, answers):
    service = render(deploy="kubernetes", **answers)
    for environment in ENVIRONMENTS:
        for each in kustomize(service, environment):
            for version in VERSIONS:
                kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("extras", EXTRAS, ids=lambda extras: "-".join(extras) or "alone")
def test_pods_are_locked_down(render, extras):
    objects = kustomize(render(deploy="kubernetes", **extras))
    (namespace,) = (each for each in objects if each["kind"] == "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    found = dict(pods(objects))
    expected = {"my-service"} | ({"my-service-migrate"} if extras else set())
    assert found.keys() == expected | ({"my-service-worker"} if "jobs" in extras else set())
    for pod in found.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["image"].startswith("my-service@sha256:")
            assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]


def test_secrets_are_only_referred_to(render):
    objects = kustomize(render(deploy="kubernetes", database="postgresql", jobs="procrastinate"))
    assert "Secret" not in {each["kind"] for each in objects}
    for _, pod in pods(objects):
        for container in containers(pod):
            assert {"secretRef": {"name": "my-service"}} in container["envFrom"]


@pytest.mark.parametrize(("framework", "server"), PAIRS)
def test_grace_period_covers_the_pause_and_the_longest_request(render, framework, server):
    service = render(deploy="kubernetes", framework=framework, server=server)
    pod = dict(pods(kustomize(service)))["my-service"]
    command = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    pause = int(re.search(r"(\d+)$", command[-1])[1])
    longest = 60
    if server == "uwsgi":
        settings = configparser.ConfigParser(strict=False, allow_no_value=True, interpolation=None)
        settings.read(service / "etc/uwsgi.ini")
        longest = settings.getint("uwsgi", "harakiri")
    assert pause >= 5
    assert pod["terminationGracePeriodSeconds"] > pause + longest
    # What the preStop hook creates is what the service looks for.
    file = re.search(r"touch (\S+)", command[-1])
    sources = [*service.glob("src/*/access.py"), *service.glob("etc/*"), service / "docker-entrypoint.sh"]
    mentioned = [source.name for source in sources if file and file[1] in source.read_text()]
    readers = {"uwsgi": [], "gunicorn": ["gunicorn.conf.py", "docker-entrypoint.sh"]}
    assert mentioned == readers.get(server, ["access.py", "docker-entrypoint.sh"])


def test_grace_period_of_a_worker_covers_the_time_for_its_jobs(render):
    service = render(deploy="kubernetes", database="postgresql", jobs="procrastinate")
    pod = dict(pods(kustomize(service)))["my-service-worker"]
    timeout = re.search(r'"WORKER_STOP_TIMEOUT", (\d+)', (service / "src/my_service/worker.py").read_text())
    assert pod["terminationGracePeriodSeconds"] > int(timeout[1])


@pytest.mark.parametrize("framework", ["flask", "django", "fastapi"])
def test_only_a_service_that_is_deployed_there_mentions_it(render, framework):
    answers = {"framework": framework, "database": "postgresql", "jobs": "procrastinate"}
    service = render(**answers)
    for file in service.rglob("*"):
        if file.is_file() and file.name != ".copier-answers.yml":
            assert not re.search(r"draining|docs/kubernetes|deploy/|overlay", file.read_text()), file


@pytest.mark.parametrize("name", ["Café & Söhne", 'Tom "the cat" \\ $HOME', "yes", "1984"])
def test_names_of_any_kind_give_valid_manifests(render, name):
    service = render(deploy="kubernetes", project_name=name, image_name="registry.example.com:5000/team/name")
    for each in kustomize(service):
        kubernetes_validate.validate(each, VERSIONS[-1], strict=True)
