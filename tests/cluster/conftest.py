"""A cluster, and services that are deployed to it."""

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from building import build, scaffold_with_bases
from clusters import REPLICAS, Deployed, Namespace, wait_for
from machine import ENGINE
from support import Service, engine, missing


@pytest.fixture(scope="session")
def kubeconfig(use_engine: None) -> Iterator[str]:
    """Use the cluster that KUBECONFIG names, else one that is built from Debian's packages; return the path."""
    if given := os.environ.get("KUBECONFIG"):
        if "CLUSTER_LOAD" not in os.environ:
            pytest.fail(
                "KUBECONFIG is set, but not CLUSTER_LOAD: set it to a command that takes an image to the cluster"
            )
        yield given
        return
    running = subprocess.run([ENGINE, "cluster", "config"], check=False, capture_output=True).returncode == 0
    if not running and subprocess.run([ENGINE, "cluster", "start"], check=False).returncode:
        missing("there is no KUBECONFIG, and tools/engine can't start a cluster here: it needs root on Debian")
    yield engine("cluster", "config").strip()
    if not running:
        engine("cluster", "stop")


@pytest.fixture(scope="session")
def load_image(kubeconfig: str) -> Callable[[str], str]:
    """Return a function that takes an image to the cluster, and returns the reference with its digest."""

    def load_image(name: str) -> str:
        if command := os.environ.get("CLUSTER_LOAD"):
            output = subprocess.run([*shlex.split(command), name], check=True, capture_output=True, text=True).stdout
        else:
            output = engine("cluster", "load", name)
        return output.split()[-1]

    return load_image


@pytest.fixture(scope="session")
def namespace_for(kubeconfig: str) -> Iterator[Callable[..., Namespace]]:
    """Return a function that makes a namespace."""
    made = []

    def make(privileged: bool = False) -> Namespace:
        namespace = Namespace(f"test-{uuid4().hex[:8]}", kubeconfig)
        made.append(namespace)
        namespace.create(privileged)
        return namespace

    yield make
    for namespace in made:
        namespace.kubectl("delete", "namespace", namespace.name, "--wait=false")


@pytest.fixture(scope="session")
def deploy(
    scaffold: Callable[..., Service], load_image: Callable[[str], str], namespace_for: Callable[..., Namespace]
) -> Callable[..., Deployed]:
    """Return a function that makes a service and deploys it, with a secret's values and answers."""

    def deploy(secret: dict[str, str] | None = None, namespace: Namespace | None = None, **answers: str) -> Deployed:
        service = scaffold_with_bases(scaffold, deploy="kubernetes", **answers)
        name = "-".join(["cluster", *answers.values()])
        deployed = Deployed(service.folder, namespace or namespace_for())
        if secret:
            values = [f"--from-literal={key}={value}" for key, value in secret.items()]
            deployed.namespace.kubectl("create", "secret", "generic", "my-service", *values)
        deployed.reference = load_image(build(service.folder, name).name)
        deployed.apply(deployed.reference)
        # The autoscaler raises their number.
        wait_for(lambda: len(deployed.namespace.pods()) == REPLICAS, explain=deployed.describe)
        deployed.settle()
        return deployed

    return deploy
