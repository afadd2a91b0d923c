"""Versions that are broken, migrations that fail, and a database that is away."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import docker
from clusters import NAME, Deployed, Namespace, wait_for
from support import engine

AWAY = 60  # seconds
PASSWORD = "only-for-tests"
PACKAGE = "/app/lib/python3.13/site-packages/my_service"
SECRET = {"DATABASE_URL": f"postgresql://postgres:{PASSWORD}@{{address}}/postgres"}

# A server that ends, and starts again with its data, while and when /tmp/away says so.
DATABASE = """
entry=$(command -v postgresql-entrypoint.sh || command -v docker-entrypoint.sh)
while :; do
  "$entry" postgres & wait $!
  while [ -e /tmp/away ]; do sleep 0.2; done
done
"""

MIGRATION = '''"""A migration that fails."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("SELECT * FROM a_table_that_does_not_exist")


def downgrade() -> None:
    pass
'''


@pytest.fixture(scope="module")
def database(namespace_for: Callable[..., Namespace], load_image: Callable[[str], str]) -> Iterator[Namespace]:
    """Run PostgreSQL in a namespace of its own."""
    engine("stand-ins", "postgres:17")
    namespace = namespace_for(privileged=True)
    labels = {"app": "database"}
    container = {
        "name": "database",
        "image": load_image("postgres:17"),
        "command": ["bash", "-c", DATABASE],
        "env": [{"name": "POSTGRES_PASSWORD", "value": PASSWORD}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "database", "labels": labels}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "database"}}
    service["spec"] = {"selector": labels, "ports": [{"port": 5432}]}
    for each in ({**pod, "spec": {"containers": [container]}}, service):
        namespace.kubectl("create", "--filename=-", stdin=json.dumps(each))
    probe = ["exec", "database", "--", "pg_isready", "--host=127.0.0.1"]
    wait_for(
        lambda: "accepting" in namespace.kubectl(*probe, check=False),
        explain=lambda: namespace.kubectl("describe", "pods"),
    )
    return namespace


@pytest.fixture(scope="module")
def deployed(deploy: Callable[..., Deployed], database: Namespace) -> Deployed:
    """Deploy a service with a database and jobs."""
    address = database.get("service", "database")["spec"]["clusterIP"]
    secret = {name: value.format(address=address) for name, value in SECRET.items()}
    return deploy(secret, framework="fastapi", server="uvicorn", database="postgresql", jobs="procrastinate")


@pytest.fixture
def changed(deployed: Deployed, load_image: Callable[[str], str], tmp_path: Path) -> Callable[[str], str]:
    """Return a function that makes another version by commands in the package's folder; it returns the reference."""

    def changed(commands: str) -> str:
        # Byte code is never checked against its source.
        image = "cluster-fastapi-uvicorn-postgresql-procrastinate"
        (tmp_path / "Dockerfile").write_text(
            f"FROM {image}\nUSER root\nWORKDIR {PACKAGE}\nCOPY migration.py /migration.py\n"
            f"RUN {commands} && find . -name __pycache__ -exec rm -r {{}} +\nUSER 10001:10001\n"
        )
        (tmp_path / "migration.py").write_text(MIGRATION)
        docker("build", "--quiet", "--tag=cluster-broken", str(tmp_path))
        return load_image("cluster-broken")

    return changed


BROKEN = {
    "import": ("echo 'import no_such_module' >>app.py", "No module named 'no_such_module'"),
    "readiness": ("echo 'checks[\"no such thing\"] = lambda: 1 / 0' >>health.py", "division by zero"),
    "migration": ("cp /migration.py migrations/versions/0002_broken.py", "a_table_that_does_not_exist"),
}


@pytest.mark.parametrize("kind", [*BROKEN, "setting"])
def test_broken_version_never_serves_and_its_reason_is_found(deployed, changed, kind):
    serving = {pod["metadata"]["name"] for pod in deployed.namespace.pods()}
    with deployed.load(500) as report:
        if kind == "setting":
            env = {"name": "LOG_LEVEL", "value": "LOUD"}
            deployed.apply(
                deployed.reference, {"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [env]}
            )
            reason = "LOUD"
        else:
            commands, reason = BROKEN[kind]
            deployed.apply(changed(commands))

        wait_for(lambda: reason in deployed.reasons(), explain=deployed.describe)

        pods = deployed.namespace.pods()
        broken = [pod for pod in pods if pod["metadata"]["name"] not in serving]
        assert broken
        assert len(pods) == len(serving) + len(broken)
        endpoints = json.dumps(deployed.namespace.get("endpoints", NAME).get("subsets"))
        ready = [address["ip"] for subset in json.loads(endpoints) or [] for address in subset.get("addresses", [])]
        assert not {pod["status"].get("podIP") for pod in broken} & {*ready}
        assert len(ready) == len(serving)
    assert not report["new"]["failed"]
    assert not report["kept"]["failed"]

    deployed.apply(deployed.reference)
    deployed.settle()


def test_pods_outlive_their_database(deployed, database):
    def conditions() -> dict[str, bool]:
        return {
            pod["metadata"]["name"]: any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in pod["status"]["conditions"]
            )
            for component in ("web", "worker")
            for pod in deployed.namespace.pods(component)
        }

    # The workers are a Deployment of their own.
    deployed.namespace.kubectl("rollout", "status", f"deployment/{NAME}-worker", "--timeout=180s")
    before = conditions()
    assert all(before.values())
    database.kubectl("exec", "database", "--", "touch", "/tmp/away")
    database.kubectl(
        "exec", "database", "--", "bash", "-c", "pkill -QUIT -o postgres || kill -QUIT $(pgrep -o postgres)"
    )
    gone = time.monotonic()
    web = {pod["metadata"]["name"] for pod in deployed.namespace.pods()}
    wait_for(lambda: not any(ready for name, ready in conditions().items() if name in web), explain=deployed.describe)
    wait_for(lambda: time.monotonic() - gone > AWAY, AWAY + 10)
    assert conditions().keys() == before.keys()

    database.kubectl("exec", "database", "--", "rm", "/tmp/away")

    wait_for(lambda: conditions() == before, explain=deployed.describe)
    for component in ("web", "worker"):
        for pod in deployed.namespace.pods(component):
            assert not any(status["restartCount"] for status in pod["status"]["containerStatuses"])
    with deployed.load(200) as report:
        pass
    assert not report["new"]["failed"]


def test_migrations_ran_once_in_a_job_of_their_own(deployed, database):
    query = "SELECT count(*) FROM alembic_version"
    command = ["exec", "database", "--", "psql", "--username=postgres", "--tuples-only", f"--command={query}"]
    assert database.kubectl(*command).strip() == "1"
    job = deployed.namespace.get("job", f"{NAME}-migrate")
    assert job["status"]["succeeded"] == 1
