"""A Kubernetes cluster, a service that is deployed to it by its own manifests, and clients in a pod beside it."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAME = "my-service"
AUTHORITY = "my-service.example.com"
LOAD = Path(__file__).with_name("load.py")
STOP = "/tmp/stop"
CLIENTS = 8
REPLICAS = 3

# What fits on a node with two CPUs.
PATCHES: dict[str, list[dict[str, object]]] = {
    "HorizontalPodAutoscaler": [{"op": "replace", "path": "/spec/minReplicas", "value": REPLICAS}],
    "PodDisruptionBudget": [],
    "Deployment": [
        {"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "50m"},
    ],
}
# What Kubernetes 1.20 doesn't know.
OLD: dict[str, list[dict[str, object]]] = {
    "HorizontalPodAutoscaler": [{"op": "replace", "path": "/apiVersion", "value": "autoscaling/v2beta2"}],
    "PodDisruptionBudget": [
        {"op": "replace", "path": "/apiVersion", "value": "policy/v1beta1"},
        {"op": "remove", "path": "/spec/unhealthyPodEvictionPolicy"},
    ],
    "Deployment": [],
}


@dataclass
class Namespace:
    """A namespace in which pods have to keep to the restricted standard, unless it is privileged."""

    name: str
    kubeconfig: str

    def create(self, privileged: bool = False) -> None:
        """Create it, for a cluster of today and for one with a PodSecurityPolicy."""
        self.kubectl("create", "namespace", self.name)
        standard = "privileged" if privileged else "restricted"
        self.kubectl("label", "namespace", self.name, f"pod-security.kubernetes.io/enforce={standard}")
        group = f"--group=system:serviceaccounts:{self.name}"
        self.kubectl("create", "rolebinding", standard, f"--clusterrole={standard}", group)

    def is_old(self) -> bool:
        """Return whether the cluster is older than what the manifests need."""
        version = json.loads(self.kubectl("get", "--raw=/version"))
        return (int(version["major"]), int(re.match(r"\d+", version["minor"])[0])) < (1, 27)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in this namespace; return its output, which the failure shows."""
        result = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.name}", *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or result.returncode == 0, f"kubectl {' '.join(arguments)}\n{result.stdout}"
        return result.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return objects of the API."""
        return json.loads(self.kubectl("get", "--output=json", *arguments))

    def pods(self, component: str = "web") -> list[dict[str, Any]]:
        """Return the pods of a component that aren't stopping."""
        found = self.get("pods", f"--selector=app.kubernetes.io/component={component}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def wait_for(condition: Callable[[], object], seconds: float = 120, explain: Callable[[], str] = str) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.3)


@dataclass
class Deployed:
    """A service in a namespace."""

    folder: Path
    namespace: Namespace
    reference: str = ""
    """The image that was deployed first, with its digest."""

    @property
    def overlay(self) -> Path:
        """Return the overlay: production, on this cluster."""
        return self.folder / "deploy/kubernetes/overlays/test"

    def apply(self, reference: str, *more: dict[str, object]) -> None:
        """Deploy an image, as docs/kubernetes.md tells, with further patches of the Deployments."""
        name, _, digest = reference.partition("@")
        patches = {kind: [*OLD[kind], *patch] if self.namespace.is_old() else patch for kind, patch in PATCHES.items()}
        patches["Deployment"] = [*patches["Deployment"], *more]
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": self.namespace.name,
            "resources": ["../production"],
            "images": [{"name": NAME, "newName": name, "digest": digest}],
            "patches": [
                {"target": {"kind": kind}, "patch": yaml.safe_dump(patch)} for kind, patch in patches.items() if patch
            ],
        }
        self.overlay.mkdir(exist_ok=True)
        (self.overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        self.namespace.kubectl("delete", "job", f"{NAME}-migrate", "--ignore-not-found")
        self.namespace.kubectl("apply", f"--kustomize={self.overlay}")

    def wait(self, seconds: int = 180) -> None:
        """Wait until all pods are of the version that was applied last, and ready."""
        self.namespace.kubectl("rollout", "status", f"deployment/{NAME}", f"--timeout={seconds}s")

    def settle(self) -> None:
        """Wait until all pods are ready, and the replaced ones are gone."""
        self.wait()
        selector = "--selector=app.kubernetes.io/component=web"
        wait_for(lambda: len(self.namespace.get("pods", selector)["items"]) == len(self.namespace.pods()))

    @contextmanager
    def load(
        self, least: int, clients: int = CLIENTS, pause: float = 0.005, pod: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Let clients send requests through the Service, or to a pod; the report is complete at the end of the context."""
        service = self.namespace.get("service", NAME)
        target = [pod["status"]["podIP"], "8000"] if pod else [service["spec"]["clusterIP"], "80"]
        image = self.namespace.get("deployment", NAME)["spec"]["template"]["spec"]["containers"][0]["image"]
        report: dict[str, Any] = {}
        self.namespace.kubectl("delete", "pod", "load", "--ignore-not-found", "--now")
        arguments = [*target, AUTHORITY, str(clients), str(least), STOP, str(pause)]
        self.namespace.kubectl("apply", "--filename=-", stdin=json.dumps(load_pod(image, arguments)))
        wait_for(lambda: "started" in self.namespace.kubectl("logs", "load", check=False), explain=self.describe)
        yield report
        # The container may end before the command in it does.
        self.namespace.kubectl("exec", "load", "--", "touch", STOP, check=False)
        wait_for(
            lambda: self.namespace.get("pod", "load")["status"]["phase"] in ("Succeeded", "Failed"), 600, self.describe
        )
        report |= json.loads(self.namespace.kubectl("logs", "load").splitlines()[-1])
        print(report)

    def describe(self) -> str:
        """Return what is known of the pods."""
        return self.namespace.kubectl("describe", "pods") + self.reasons()

    def reasons(self) -> str:
        """Run the command with which docs/kubernetes.md finds the reason of a failure."""
        return self.namespace.kubectl(
            "logs", f"--selector=app.kubernetes.io/name={NAME}", "--all-containers", "--prefix", "--tail=5",
            "--ignore-errors",
        )  # fmt: skip


def load_pod(image: str, arguments: list[str]) -> dict[str, Any]:
    """Return the pod with the clients."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "load"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "load",
                    "image": image,
                    "args": ["python", "-c", LOAD.read_text(), *arguments],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
