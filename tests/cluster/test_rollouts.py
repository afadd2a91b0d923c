"""Pods are replaced and removed while clients use the service."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clusters import GO_BACK, NAME, REPLICAS, Deployment, lost, wait_for
from support import FEW_STACKS

pytest_plugins = ["cluster_fixtures"]
pytestmark = pytest.mark.slow

SECRETS = {
    "flask": {},
    "django": {"SECRET_KEY": 10 * "secret", "DATABASE_URL": "sqlite:////tmp/db.sqlite3"},
    "fastapi": {},
}
NO_PAUSE = {"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"}
# How often the control replaces all pods at most.
ROLLOUTS = 10


@pytest.fixture(scope="module", params=FEW_STACKS, ids="-".join)
def deployed(request: pytest.FixtureRequest, install: Callable[..., Any]) -> Iterator[Deployment]:
    """Deploy a service."""
    framework, server = request.param
    with install(SECRETS[framework], framework=framework, server=server) as deployment:
        yield deployment


def roll_out(deployed: Deployment) -> None:
    """Deploy another version."""
    deployed.deploy(deployed.changed())


def roll_back(deployed: Deployment) -> None:
    """Go back to the version before."""
    deployed.run(GO_BACK)
    deployed.settle()


def scale_down(deployed: Deployment) -> None:
    """Remove all pods but one."""
    deployed.scale(1)


def evict(deployed: Deployment) -> None:
    """Move all pods, one by one, as `kubectl drain` does."""
    version = "policy/v1beta1" if deployed.cluster.is_old() else "policy/v1"
    for name in deployed.pods():
        eviction = json.dumps({"apiVersion": version, "kind": "Eviction", "metadata": {"name": name}})
        path = f"/api/v1/namespaces/{NAME}/pods/{name}/eviction"

        def evicted(path: str = path, eviction: str = eviction) -> bool:
            # Refused while it would disrupt more than one pod.
            output = deployed.kubectl("create", f"--raw={path}", "--filename=-", stdin=eviction, check=False)
            assert "Success" in output or "disruption budget" in output, output
            return "Success" in output

        wait_for(evicted, f"the eviction of {name}")
    deployed.settle()


@pytest.mark.parametrize(
    "operation", [roll_out, roll_back, scale_down, evict], ids=lambda operation: operation.__name__
)
def test_no_request_is_lost(deployed, operation):
    if operation is roll_back and deployed.images() == {deployed.reference}:
        roll_out(deployed)
    deployed.scale(REPLICAS)
    before = deployed.pods().keys()

    with deployed.load() as report:
        operation(deployed)

    left = 1 if operation is scale_down else 0
    assert len(before & deployed.pods().keys()) == left
    assert not lost(report), report
    # A request may meet the end of an idle connection. Many of them are requests in flight that were cut off.
    assert report["kept"]["repeated"] <= len(before), report
    assert report["new"]["repeated"] == report["slow"]["repeated"] == 0, report


@pytest.mark.parametrize("deployed", FEW_STACKS[:1], ids="-".join, indirect=True)
def test_without_the_pause_requests_are_lost(deployed):
    """The control: else the tests above would show nothing."""
    deployed.scale(REPLICAS)
    deployed.deploy(deployed.changed(), NO_PAUSE)

    # A rollout loses nothing if the node learns of each stop before the server closes its socket.
    for _ in range(ROLLOUTS):
        with deployed.load() as report:
            deployed.deploy(deployed.changed(), NO_PAUSE)
        if lost(report):
            return
    pytest.fail(f"{ROLLOUTS} rollouts lost no request")
