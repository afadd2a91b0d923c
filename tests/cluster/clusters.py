"""A Kubernetes cluster, and services that are deployed to it by the commands of their own docs/operations.md."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from containers import docker, wait_until

NAME = "my-service"
REPLICAS = 3
# Requests on new and on kept connections, each.
LEAST = 1000
# Seconds, enough to replace all pods one by one on a busy machine.
PATIENCE = 600
# The blocks of commands in docs/operations.md.
SET_UP, DEPLOY, FIND_REASON, GO_BACK = range(4)
# What fits on a node with two CPUs.
PATCHES = {
    "HorizontalPodAutoscaler": [{"op": "replace", "path": "/spec/minReplicas", "value": REPLICAS}],
    "Deployment": [
        {"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "50m"}
    ],
}
# What Kubernetes 1.20 doesn't know.
OLD_PATCHES = {
    "HorizontalPodAutoscaler": [{"op": "replace", "path": "/apiVersion", "value": "autoscaling/v2beta2"}],
    "PodDisruptionBudget": [
        {"op": "replace", "path": "/apiVersion", "value": "policy/v1beta1"},
        {"op": "remove", "path": "/spec/unhealthyPodEvictionPolicy"},
    ],
}


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition of the cluster holds."""

    def look() -> object:
        time.sleep(0.5)  # Each look starts kubectl, which takes CPU time from the cluster.
        return condition()

    wait_until(look, what, PATIENCE)


@dataclass
class Cluster:
    """A cluster."""

    kubeconfig: Path
    load_command: list[str]
    """Takes an image to the cluster, and prints its reference with the digest."""

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl; return its output, which the failure shows."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert not check or result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result.stdout if check else result.stdout + result.stderr

    def is_old(self) -> bool:
        """Return whether it is older than what the manifests need."""
        version = json.loads(self.kubectl("get", "--raw=/version"))
        return (int(version["major"]), int(re.match(r"\d+", version["minor"])[0])) < (1, 27)

    def use_policy(self, namespace: str, policy: str) -> None:
        """Let pods of a namespace keep to a policy, in a cluster with PodSecurityPolicies."""
        if self.is_old():
            group = f"--group=system:serviceaccounts:{namespace}"
            self.kubectl("create", "rolebinding", policy, f"--clusterrole={policy}", group, f"--namespace={namespace}")

    def load_image(self, image: str) -> str:
        """Take an image to the cluster; return its reference."""
        output = subprocess.run([*self.load_command, image], check=True, stdout=subprocess.PIPE, text=True).stdout
        return output.split()[-1]


@dataclass
class Deployment:
    """A service in the namespace that its docs/operations.md names, managed by the commands there."""

    cluster: Cluster
    folder: Path
    image: str
    reference: str
    """The image on the cluster."""

    @contextmanager
    def started(self, block: int) -> Iterator[subprocess.Popen[str]]:
        """Run a block of commands, up to the first that fails, or to the end of the context."""
        text = (self.folder / "docs/operations.md").read_text(encoding="utf-8")
        section = text.split("\n## Kubernetes\n", 1)[1].split("\n## ", 1)[0]
        blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
        commands = ["bash", "-exc", re.sub(r"^\$ ", "", blocks[block], flags=re.MULTILINE)]
        env = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(commands, cwd=self.folder, env=env, start_new_session=True, **output) as process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, block: int, *, fails: bool = False) -> str:
        """Run a block of commands; return the output."""
        with self.started(block) as process:
            output, _ = process.communicate(timeout=2 * PATIENCE)
        assert bool(process.returncode) == fails, f"{output}\n{self.kubectl('describe', 'pods', check=False)}"
        return output

    def write(self, reference: str, *more: dict[str, object]) -> None:
        """Write an image, with its digest, into the overlay, and further patches of the Deployments."""
        file = self.folder / "deploy/kubernetes/overlays/production/kustomization.yaml"
        overlay = yaml.safe_load(file.read_text(encoding="utf-8"))
        overlay["images"][0]["newName"], overlay["images"][0]["digest"] = reference.split("@")
        patches = [*PATCHES.items(), *(OLD_PATCHES.items() if self.cluster.is_old() else []), ("Deployment", more)]
        overlay["patches"] = [
            {"target": {"kind": kind}, "patch": yaml.safe_dump([*patch])} for kind, patch in patches if patch
        ]
        file.write_text(yaml.safe_dump(overlay), encoding="utf-8")

    def deploy(self, reference: str, *more: dict[str, object]) -> None:
        """Deploy an image."""
        self.write(reference, *more)
        self.run(DEPLOY)
        self.settle()

    def changed(self, *instructions: str) -> str:
        """Make another version, with further instructions of a Dockerfile; return its reference."""
        context = self.folder / "build"
        context.mkdir(exist_ok=True)
        lines = [f"FROM {self.image}", f"LABEL version={uuid4()}", *instructions]
        (context / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
        docker("build", "--quiet", f"--tag={self.image}-changed", str(context))
        return self.cluster.load_image(f"{self.image}-changed")

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in the service's namespace."""
        return self.cluster.kubectl(f"--namespace={NAME}", *arguments, stdin=stdin, check=check)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return objects of the API."""
        return json.loads(self.kubectl("get", "--output=json", *arguments))

    def pods(self, component: str = "web") -> dict[str, dict[str, Any]]:
        """Return the pods of a component by their names, without those that stop."""
        found = self.get("pods", f"--selector=app.kubernetes.io/component={component}")["items"]
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def images(self, component: str = "web") -> set[str]:
        """Return the images of a component's pods."""
        return {pod["spec"]["containers"][0]["image"] for pod in self.pods(component).values()}

    def settle(self, replicas: int = REPLICAS) -> None:
        """Wait until as many pods are ready, and those that they replace are gone."""

        def settled() -> bool:
            found = self.get("deployment", NAME)
            status = found["status"]
            numbers = [status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")]
            pods = self.get("pods", "--selector=app.kubernetes.io/component=web")["items"]
            seen = status.get("observedGeneration") == found["metadata"]["generation"]
            return seen and [*numbers, len(pods)] == [replicas] * 4

        wait_for(settled, f"{replicas} pods")

    def scale(self, replicas: int) -> None:
        """Set the number of pods."""
        patch = json.dumps({"spec": {"minReplicas": replicas, "maxReplicas": replicas}})
        self.kubectl("patch", "hpa", NAME, f"--patch={patch}")
        self.kubectl("scale", "deployment", NAME, f"--replicas={replicas}")
        self.settle(replicas)

    @contextmanager
    def load(self) -> Iterator[dict[str, Any]]:
        """Let clients in a pod send requests to the Service; their report is complete at the end of the context."""
        address, report = self.get("service", NAME)["spec"]["clusterIP"], {}
        script = Path(__file__).with_name("load.py").read_text(encoding="utf-8")
        stop = "/tmp/stop"
        command = ["python", "-c", script, address, f"{NAME}.example.com", str(LEAST), stop]
        # The rights and the volume are as in the service's own pods.
        pod = self.get("deployment", NAME)["spec"]["template"]["spec"]
        container = {name: pod["containers"][0][name] for name in ("image", "securityContext", "volumeMounts")}
        spec = {name: pod[name] for name in ("automountServiceAccountToken", "securityContext", "volumes")}
        spec |= {"containers": [{"name": "load", "args": command, **container}], "restartPolicy": "Never"}
        load = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load"}, "spec": spec}
        self.kubectl("create", "--filename=-", stdin=json.dumps(load))
        try:
            wait_for(lambda: "started" in self.kubectl("logs", "load", check=False), "clients")
            yield report
            self.kubectl("exec", "load", "--", "touch", stop)
            ended = ("Succeeded", "Failed")
            wait_for(lambda: self.get("pod", "load")["status"]["phase"] in ended, "the report")
            report |= json.loads(self.kubectl("logs", "load").splitlines()[-1])
            print(report)
        finally:
            self.kubectl("delete", "pod", "load", "--now")


def lost(report: dict[str, Any]) -> int:
    """Return how many requests failed."""
    assert min(report[kind]["requests"] for kind in ("new", "kept")) >= LEAST
    return sum(sum(kind["failed"].values()) for kind in report.values())
