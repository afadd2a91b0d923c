"""Pods are replaced, removed and killed while clients use the service."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from clusters import CLIENTS, NAME, Deployed, wait_for
from offered import marked

# One for each server; those with every change are the default, and one whose clients keep connections.
SERVICES = [("flask", "uwsgi"), ("fastapi", "uvicorn"), ("flask", "gunicorn"), ("django", "granian")]
EVERY_CHANGE = SERVICES[:2]
SECRET = {"SECRET_KEY": 10 * "secret", "DATABASE_URL": "sqlite:////tmp/test.sqlite3"}
# The control's patch, and how often it replaces all pods at most.
NO_PAUSE = {"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"}
ROLLOUTS = 10


@pytest.fixture(scope="module", params=marked(SERVICES, EVERY_CHANGE), ids="-".join)
def deployed(request: pytest.FixtureRequest, deploy: Callable[..., Deployed]) -> Deployed:
    """Deploy a service."""
    framework, server = request.param
    return deploy(SECRET if framework == "django" else None, framework=framework, server=server)


@pytest.fixture
def least(request: pytest.FixtureRequest) -> int:
    """Return the least number of requests on new and on kept connections, each."""
    return 10_000 if request.config.getoption("slow") else 2_000


def restart(deployed: Deployed) -> None:
    """Replace all pods, one by one."""
    deployed.namespace.kubectl("rollout", "restart", f"deployment/{NAME}")
    deployed.wait()


def roll_back(deployed: Deployed) -> None:
    """Go back to the version before."""
    deployed.namespace.kubectl("rollout", "undo", f"deployment/{NAME}")
    deployed.wait()


def scale_down(deployed: Deployed) -> None:
    """Remove two of four pods."""
    set_replicas(deployed, 4)
    set_replicas(deployed, 2)


def set_replicas(deployed: Deployed, number: int) -> None:
    """Set the number of replicas, and wait until there are as many."""
    patch = json.dumps({"spec": {"minReplicas": number, "maxReplicas": number}})
    deployed.namespace.kubectl("patch", "hpa", NAME, f"--patch={patch}")
    deployed.namespace.kubectl("scale", f"deployment/{NAME}", f"--replicas={number}")
    wait_for(lambda: len(deployed.namespace.pods()) == number)
    deployed.wait()


def evict(deployed: Deployed) -> None:
    """Move all pods, one by one, as `kubectl drain` does."""
    namespace = deployed.namespace
    for name in [pod["metadata"]["name"] for pod in namespace.pods()]:
        path = f"/api/v1/namespaces/{namespace.name}/pods/{name}/eviction"
        body = {
            "apiVersion": "policy/v1beta1" if namespace.is_old() else "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name},
        }

        def evicted(path: str = path, body: dict[str, object] = body) -> bool:
            # Refused while it would disrupt more than one pod.
            output = namespace.kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(body), check=False)
            assert "Success" in output or "disruption budget" in output, output
            return "Success" in output

        wait_for(evicted)
    deployed.wait()


def lost(report: dict[str, Any], reason: str = "") -> int:
    """Return how many requests failed, of all or for a reason that begins so."""
    failed = [item for kind in ("new", "kept") for item in report[kind]["failed"].items()]
    return sum(number for why, number in failed if why.startswith(reason))


@pytest.mark.parametrize("operation", [restart, roll_back, scale_down, evict], ids=lambda operation: operation.__name__)
def test_no_request_is_lost(deployed, operation, least):
    before = {pod["metadata"]["name"] for pod in deployed.namespace.pods()}
    with deployed.load(least) as report:
        operation(deployed)
        deployed.settle()
    after = {pod["metadata"]["name"] for pod in deployed.namespace.pods()}
    assert before != after
    for kind in ("new", "kept"):
        assert report[kind]["requests"] >= least
        assert not report[kind]["failed"], report


def test_killed_pod_loses_only_its_own_requests(deployed, least):
    (victim, *_) = deployed.namespace.pods()
    with deployed.load(least) as report:
        deployed.namespace.kubectl("delete", "pod", victim["metadata"]["name"], "--grace-period=0", "--force")
        deployed.settle()
    # Those in flight. Until the node learns of it, clients are still connected to the pod, and fail at that.
    assert lost(report) - lost(report, "connect: ") <= 2 * CLIENTS, report
    with deployed.load(least) as report:
        pass
    assert not lost(report), report


def test_without_the_pause_requests_are_lost(deployed, least):
    """The control: else the tests above would show nothing."""
    deployed.apply(deployed.reference, NO_PAUSE)
    deployed.wait()
    # One loses nothing if the node learns of each stop before the server closes its socket.
    for _ in range(ROLLOUTS):
        with deployed.load(least) as report:
            restart(deployed)
        if lost(report):
            break
    deployed.apply(deployed.reference)
    deployed.wait()
    assert lost(report) > 0, report


def test_pods_have_only_the_rights_that_they_need(deployed):
    (pod, *_) = deployed.namespace.pods()
    code = """
import os, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(os.getuid(), status["CapEff"], status["NoNewPrivs"], status["Seccomp"])
print(os.path.exists("/var/run/secrets/kubernetes.io"))
for folder, _, _ in os.walk("/", followlinks=False):
    if folder.startswith(("/proc", "/sys", "/dev")):
        continue
    try:
        with open(os.path.join(folder, "written"), "w"):
            print(folder)
    except OSError:
        pass
"""
    output = deployed.namespace.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", code)
    assert output.splitlines() == ["10001 0000000000000000 1 2", "False", "/tmp"]


def test_memory_is_within_the_limit(deployed):
    """After all the load above: what the control group counts, without the cache of files."""
    for pod in deployed.namespace.pods():
        code = """
import pathlib
folder = pathlib.Path("/sys/fs/cgroup")
one = folder / "memory/memory.stat"
stat = dict(line.split() for line in (one if one.exists() else folder / "memory.stat").read_text().splitlines())
print((int(stat["rss"]) if "rss" in stat else int(stat["anon"])) // 2**20)
"""
        used = int(deployed.namespace.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", code))
        limit = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
        print(f"{used} of {limit}")
        assert used <= int(limit.removesuffix("Mi")) / 2
