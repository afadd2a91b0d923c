"""Broken versions, migrations that fail, a rollback, and a database that is away."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from clusters import DEPLOY, FIND_REASON, GO_BACK, NAME, Cluster, Deployment, lost, wait_for

pytest_plugins = ["cluster_fixtures"]
pytestmark = pytest.mark.slow

AWAY = 60  # seconds
PASSWORD = "only-for-tests"
COMPONENTS = ("web", "worker")
# A server that ends, and starts again with its data, while and when /tmp/away says so.
DATABASE = """
entry=$(command -v postgresql-entrypoint.sh || command -v docker-entrypoint.sh)
while :; do
  "$entry" postgres & wait $!
  while [ -e /tmp/away ]; do sleep 0.2; done
done
"""
MIGRATION = """COPY <<PYTHON /app/lib/python3.13/site-packages/my_service/migrations/versions/0002_next.py
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.execute({!r})
PYTHON"""


@dataclass
class Database:
    """PostgreSQL in a namespace of its own."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in its namespace."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin, check=check)

    def execute(self, *command: str, check: bool = True) -> str:
        """Run a command in its container."""
        return self.kubectl("exec", "database", "--", *command, check=check)

    def wait(self) -> None:
        """Wait until it accepts connections."""
        probe = ("pg_isready", "--host=127.0.0.1")
        wait_for(lambda: "accepting" in self.execute(*probe, check=False), "PostgreSQL")


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[Database]:
    """Run PostgreSQL."""
    database = Database(cluster, f"database-{uuid4().hex[:8]}")
    cluster.kubectl("create", "namespace", database.namespace)
    cluster.use_policy(database.namespace, "privileged")
    container = {"name": "database", "image": cluster.load_image("postgres:17"), "command": ["bash", "-c", DATABASE]}
    container["env"] = [{"name": "POSTGRES_PASSWORD", "value": PASSWORD}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "database", "labels": {"app": "database"}}}
    database.kubectl("create", "--filename=-", stdin=json.dumps({**pod, "spec": {"containers": [container]}}))
    database.kubectl("expose", "pod", "database", "--port=5432")
    database.wait()
    yield database
    cluster.kubectl("delete", "namespace", database.namespace)


@pytest.fixture(scope="module")
def deployed(install: Callable[..., Any], database: Database) -> Iterator[Deployment]:
    """Deploy a service with a database and jobs."""
    address = database.kubectl("get", "service", "database", "--output=jsonpath={.spec.clusterIP}")
    settings = {"DATABASE_URL": f"postgresql://postgres:{PASSWORD}@{address}/postgres"}
    with install(settings, framework="flask", database="postgresql", jobs="procrastinate") as deployment:
        yield deployment


def ready(pod: dict[str, Any]) -> str:
    """Return since when a pod is ready, or nothing."""
    conditions = pod["status"]["conditions"]
    return "".join(
        each["lastTransitionTime"] for each in conditions if (each["type"], each["status"]) == ("Ready", "True")
    )


def restarts(deployed: Deployment, component: str = "web") -> dict[str, int]:
    """Return how often each pod's container was started again."""
    pods = deployed.pods(component).items()
    return {name: pod["status"]["containerStatuses"][0]["restartCount"] for name, pod in pods}


def test_migrations_end_before_the_worker_starts_and_it_before_the_web_service(deployed):
    migrated = deployed.get("job", f"{NAME}-migrate")["status"]["completionTime"]
    (worker,) = deployed.pods("worker").values()
    web = min(pod["metadata"]["creationTimestamp"] for pod in deployed.pods().values())

    assert migrated <= worker["metadata"]["creationTimestamp"] <= ready(worker) <= web


def test_failed_migration_ends_a_deployment_and_the_old_version_serves(deployed):
    before = {component: deployed.pods(component).keys() for component in COMPONENTS}
    broken = deployed.changed(MIGRATION.format("SELECT * FROM no_such_table"))

    deployed.write(broken)
    with deployed.load() as report:
        print(deployed.run(DEPLOY, fails=True))

    assert "no_such_table" in deployed.run(FIND_REASON)
    assert deployed.images("migrate") == {broken}
    assert {component: deployed.pods(component).keys() for component in COMPONENTS} == before
    assert not lost(report), report


@pytest.mark.parametrize(
    ("variable", "component", "reason"),
    [
        ("PROCRASTINATE_WORKER_CONCURRENCY", "worker", "base 10: 'broken'"),
        ("PORT", "web", 'PORT is "broken"'),
    ],
    ids=["worker", "web"],
)
def test_broken_version_replaces_nothing_and_its_reason_is_found(variable, component, reason, deployed):
    serving, before = deployed.pods().keys(), deployed.pods(component).keys()

    deployed.write(deployed.changed(f"ENV {variable}=broken"))
    with deployed.load() as report, deployed.started(DEPLOY):
        wait_for(lambda: reason in deployed.run(FIND_REASON), "the reason")
        endpoints = deployed.get("endpoints", NAME)["subsets"]

    assert {address["targetRef"]["name"] for subset in endpoints for address in subset["addresses"]} == serving
    assert before < deployed.pods(component).keys()
    assert not lost(report), report


def test_older_version_starts_and_serves_after_a_rollback_although_the_database_is_newer(deployed, database):
    deployed.deploy(deployed.reference)
    newer = deployed.changed(MIGRATION.format("ALTER TABLE notes ADD COLUMN author text"))
    deployed.deploy(newer)
    assert deployed.images() == deployed.images("worker") == {newer}

    with deployed.load() as report:
        deployed.run(GO_BACK)
        deployed.settle()

    wait_for(lambda: deployed.images("worker") == {deployed.reference}, "the older worker")
    assert deployed.images() == {deployed.reference}
    query = "--command=SELECT version_num FROM alembic_version"
    assert database.execute("psql", "--username=postgres", "--host=127.0.0.1", "-qAt", query).strip() == "0002"
    assert not lost(report), report

    # It can also be deployed anew.
    deployed.deploy(deployed.changed())


def test_database_away_restarts_no_web_pod(deployed, database):
    before = restarts(deployed)

    def ready_pods() -> int:
        return sum(bool(ready(pod)) for pod in deployed.pods().values())

    database.execute("touch", "/tmp/away")
    database.execute("bash", "-c", "kill -QUIT $(head -1 $PGDATA/postmaster.pid)")
    gone = time.monotonic()
    wait_for(lambda: not ready_pods(), "pods that aren't ready")
    time.sleep(max(0, gone + AWAY - time.monotonic()))
    assert not ready_pods()
    database.execute("rm", "/tmp/away")
    database.wait()
    wait_for(lambda: ready_pods() == len(before), "pods that are ready")

    assert restarts(deployed) == before
    print("restarts of the worker:", restarts(deployed, "worker"))
    wait_for(lambda: all(map(ready, deployed.pods("worker").values())), "a worker")
    with deployed.load() as report:
        pass
    assert not lost(report), report
