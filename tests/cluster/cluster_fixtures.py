"""Fixtures: a plugin, because another conftest.py would hide the one in tests/, which tests import from."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import NAME, SET_UP, Cluster, Deployment
from support import ENGINE, missing


@pytest.fixture(scope="session")
def cluster(use_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Use the cluster that KUBECONFIG names, else one that is built from Debian's packages."""
    given, started = os.environ.get("KUBECONFIG"), False
    if given and "CLUSTER_LOAD" not in os.environ:
        pytest.fail("KUBECONFIG is set, but not CLUSTER_LOAD: set it to a command that takes an image to the cluster")
    if not given:
        started = subprocess.run([ENGINE, "cluster", "config"], check=False, capture_output=True).returncode != 0
        if started and subprocess.run([ENGINE, "cluster", "start"], check=False).returncode:
            missing("there is no KUBECONFIG, and tools/engine can't start a cluster here: it needs root on Debian")
        given = subprocess.run([ENGINE, "cluster", "config"], check=True, stdout=subprocess.PIPE, text=True).stdout
    # A copy, because the commands select a namespace in it.
    kubeconfig = tmp_path_factory.mktemp("cluster") / "kubeconfig"
    view = ["kubectl", f"--kubeconfig={given.strip()}", "config", "view", "--raw", "--flatten"]
    kubeconfig.write_text(subprocess.run(view, check=True, stdout=subprocess.PIPE, text=True).stdout)
    yield Cluster(kubeconfig, shlex.split(os.environ.get("CLUSTER_LOAD", f"{ENGINE} cluster load")))
    if started:
        subprocess.run([ENGINE, "cluster", "stop"], check=True)


@pytest.fixture(scope="session")
def install(
    cluster: Cluster, build: Callable[..., str], render: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Return a context in which a service with some settings and answers is deployed."""

    @contextmanager
    def install(settings: dict[str, str], **answers: str) -> Iterator[Deployment]:
        folder = tmp_path_factory.mktemp("deployment") / NAME
        shutil.copytree(render(deploy="kubernetes", **answers), folder)
        (folder / ".env.production").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        deployment = Deployment(cluster, folder, image := build(**answers), cluster.load_image(image))
        deployment.run(SET_UP)
        try:
            cluster.use_policy(NAME, "restricted")
            deployment.deploy(deployment.reference)
            yield deployment
        finally:
            cluster.kubectl("delete", "namespace", NAME)

    return install
