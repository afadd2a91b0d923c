"""What a start costs: modules that are imported, in all processes together."""

import re
import subprocess
import time
from subprocess import PIPE, STDOUT

import pytest
from building import build, docker, scaffold_with_bases
from offered import marked

WORKERS = 4
# A tenth more than counted on Python 3.13. If each worker imports the libraries itself, a Flask service on uWSGI imports
# 1,530 modules.
AT_MOST = {
    ("flask", "uwsgi"): 315,
    ("flask", "gunicorn"): 545,
    ("flask", "granian"): 530,
    ("django", "uwsgi"): 630,
    ("django", "gunicorn"): 1165,
    ("django", "granian"): 1150,
    ("fastapi", "uvicorn"): 800,
    ("fastapi", "granian"): 765,
}
# One for each framework and server.
FEW = [("flask", "uwsgi"), ("flask", "gunicorn"), ("django", "granian"), ("fastapi", "uvicorn")]
# The last module that an application imports.
LAST = {"flask": "my_service.proxy", "django": "django.contrib.contenttypes.views", "fastapi": "my_service.proxy"}


@pytest.mark.parametrize("pair", marked(AT_MOST, FEW), ids="-".join)
def test_start_imports_few_modules(pair, scaffold):
    """If it fails for a good reason, such as a library's new release, raise the number."""
    framework, server = pair
    image = build(
        scaffold_with_bases(scaffold, framework=framework, server=server).folder, f"start-{framework}-{server}"
    )
    options = ["--no-healthcheck", f"--env=WEB_CONCURRENCY={WORKERS}", "--env=PYTHONPROFILEIMPORTTIME=1"]
    if framework == "django":
        options += ["--env=SECRET_KEY=" + 10 * "secret", "--env=DATABASE_URL=sqlite://:memory:"]
    container = docker("run", "--detach", *options, image.name).strip()
    try:
        # serve.py imports the application, too, in a process that ends at once.
        imported = imports(container, LAST[framework], WORKERS + (server != "uwsgi"))
    finally:
        docker("rm", "--force", container)

    assert len(imported) <= AT_MOST[pair]


def imports(container: str, last: str, processes: int) -> list[str]:
    """Return the names of all modules that have been imported when that many processes have imported the *last*.

    Python reports each import: https://docs.python.org/3/using/cmdline.html#envvar-PYTHONPROFILEIMPORTTIME
    """
    deadline = time.monotonic() + 120
    while True:
        output = subprocess.run(["docker", "logs", container], check=True, stdout=PIPE, stderr=STDOUT, text=True).stdout
        # uWSGI wraps each line in JSON.
        names = re.findall(r"import time: +\d+ \| +\d+ \| +([\w.]+)", output)
        if names.count(last) >= processes:
            return names
        assert time.monotonic() < deadline, (
            f"{names.count(last)} of {processes} processes have started: {output[-3000:]}"
        )
        time.sleep(0.2)
