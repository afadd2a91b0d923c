"""What replicas add: requests as fast as they are answered. The figures are printed; docs/evidence/kubernetes.md has them."""

from collections.abc import Callable
from typing import Any

import pytest
from clusters import Deployed
from test_rollouts import set_replicas

ROUNDS = 5
CLIENTS = 16
# For each replica: few enough that four of them leave something of two CPUs to the clients.
LIMIT = {"op": "add", "path": "/spec/template/spec/containers/0/resources/limits/cpu", "value": "200m"}


@pytest.fixture(scope="module", params=[("flask", "uwsgi"), ("fastapi", "uvicorn")], ids="-".join)
def deployed(request: pytest.FixtureRequest, deploy: Callable[..., Deployed]) -> Deployed:
    """Deploy a service."""
    framework, server = request.param
    return deploy(framework=framework, server=server)


def measure(deployed: Deployed, least: int, pod: dict[str, Any] | None = None) -> None:
    """Send requests without a pause; each is answered."""
    with deployed.load(least, CLIENTS, 0, pod) as report:
        pass
    for kind in ("new", "kept"):
        assert not report[kind]["failed"], report


@pytest.mark.slow
def test_replicas_share_the_cpus_of_a_node(deployed):
    """In turn: one pod without the Service, one behind it, three behind it."""
    for _ in range(ROUNDS):
        set_replicas(deployed, 1)
        deployed.settle()
        (pod,) = deployed.namespace.pods()
        measure(deployed, 5000, pod)
        measure(deployed, 5000)
        set_replicas(deployed, 3)
        deployed.settle()
        measure(deployed, 5000)


@pytest.mark.slow
def test_each_replica_adds_its_cpu_time(deployed):
    """In turn: one to four pods, a fifth of a CPU each."""
    deployed.apply(deployed.reference, LIMIT)
    deployed.settle()
    for _ in range(ROUNDS):
        for replicas in range(1, 5):
            set_replicas(deployed, replicas)
            deployed.settle()
            measure(deployed, 1000)
