"""What a start costs: modules that are imported, in all processes together, and instructions of the processor."""

import re
import shlex
import subprocess
import time
from subprocess import PIPE, STDOUT

import pytest
from building import CERTIFICATES, Image, build, docker, scaffold_with_bases
from offered import marked

WORKERS = 4
# A tenth more than counted on Python 3.13. If each worker imports the libraries itself, a Flask service on uWSGI imports
# 1,540 modules.
AT_MOST = {
    ("flask", "uwsgi"): 490,
    ("flask", "gunicorn"): 545,
    ("flask", "granian"): 530,
    ("django", "uwsgi"): 1045,
    ("django", "gunicorn"): 1165,
    ("django", "granian"): 1150,
    ("fastapi", "uvicorn"): 800,
    ("fastapi", "granian"): 765,
}
# In millions; Valgrind counted 575 on Python 3.13, and 600 if garbage is collected while libraries are imported.
MILLIONS_AT_MOST = 595
VALGRIND = """
FROM {image}
USER root
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \\
    apt-get update && apt-get install --yes --no-install-recommends valgrind
"""
# One for each framework and server.
FEW = [("flask", "uwsgi"), ("flask", "gunicorn"), ("django", "granian"), ("fastapi", "uvicorn")]
# The last module that an application imports.
LAST = {"flask": "my_service.proxy", "django": "django.contrib.contenttypes.views", "fastapi": "my_service.proxy"}


@pytest.mark.parametrize("pair", marked(AT_MOST, FEW), ids="-".join)
def test_start_imports_few_modules(pair, scaffold, tmp_path):
    """If it fails for a good reason, such as a library's new release, raise the number."""
    framework, server = pair
    service = scaffold_with_bases(scaffold, framework=framework, server=server)
    image = build(service.folder, f"start-{framework}-{server}")
    options = ["--no-healthcheck", f"--env=WEB_CONCURRENCY={WORKERS}", "--env=PYTHONPROFILEIMPORTTIME=1"]
    if server == "uwsgi":
        # uWSGI drops lines of its own log when workers write them faster than it does: workers write these themselves.
        settings, blocks = re.subn(
            r"(?s)if-env = LOG_FD\n.*?endif =\n", "", (service.folder / "etc/uwsgi.ini").read_text()
        )
        assert blocks == 1
        (tmp_path / "uwsgi.ini").write_text(settings)
        options += [f"--volume={tmp_path}/uwsgi.ini:/app/etc/uwsgi.ini:ro"]
    if framework == "django":
        options += ["--env=SECRET_KEY=" + 10 * "secret", "--env=DATABASE_URL=sqlite://:memory:"]
    container = docker("run", "--detach", *options, image.name).strip()
    try:
        # serve.py imports the application, too, in a process that ends at once.
        imported = imports(container, LAST[framework], WORKERS + (server != "uwsgi"))
    finally:
        docker("rm", "--force", container)

    assert len(imported) <= AT_MOST[pair]


def test_start_takes_few_instructions(image, tmp_path):
    """Instructions don't depend on how busy the machine is: https://valgrind.org/docs/manual/cl-manual.html."""
    (tmp_path / "Dockerfile").write_text(VALGRIND.format(image=image.name))
    with_valgrind: Image = build(tmp_path, "my-service:valgrind", certificates=CERTIFICATES)
    start = "import runpy; runpy.run_path('/app/etc/preload.py'); import my_service.wsgi"
    count = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "python", "-Ic", start]

    output = with_valgrind.run("sh", "-c", f"{shlex.join(count)} 2>&1", options=("--env=PYTHONHASHSEED=0",))

    assert int(re.search(r"Collected : (\d+)", output)[1]) <= MILLIONS_AT_MOST * 1_000_000


def imports(container: str, last: str, processes: int) -> list[str]:
    """Return the names of all modules that have been imported when that many processes have imported the *last*.

    Python reports each import: https://docs.python.org/3/using/cmdline.html#envvar-PYTHONPROFILEIMPORTTIME
    """
    deadline = time.monotonic() + 120
    while True:
        output = subprocess.run(["docker", "logs", container], check=True, stdout=PIPE, stderr=STDOUT, text=True).stdout
        names = re.findall(r"import time: +\d+ \| +\d+ \| +([\w.]+)", output)
        if names.count(last) >= processes:
            return names
        assert time.monotonic() < deadline, (
            f"{names.count(last)} of {processes} processes have started: {output[-3000:]}"
        )
        time.sleep(0.2)
