# An update overwrites this file.
"""Commands that the image runs instead of the server, such as a worker of a job queue."""

import pytest
from python_on_whales import docker

from .conftest import Run, output, wait_for_line, wait_until

SLEEP = """
import time

while True:
    time.sleep(1)
"""
# Exits cleanly when it is stopped.
HANDLER = """
import signal
import sys


def stop(*_):
    print('{"event": "finished"}', flush=True)
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
print('{"event": "ready"}', flush=True)
while True:
    signal.pause()
"""
# Creates an orphaned process, and exits when that has been reaped.
ORPHAN = """
import os
import sys
import time
from pathlib import Path

read, write = os.pipe()
if os.fork() == 0:
    parent = os.getpid()
    if orphan := os.fork():
        os.write(write, str(orphan).encode())
    else:
        while os.getppid() == parent:
            time.sleep(0.01)
    os._exit(0)
os.wait()
orphan = Path("/proc", os.read(read, 100).decode())
deadline = time.monotonic() + 30
while orphan.exists():
    if time.monotonic() > deadline:
        sys.exit(orphan.joinpath("stat").read_text())
    time.sleep(0.01)
"""
IN_FOREGROUND = "import os; print(os.isatty(0), os.tcgetpgrp(0) == os.getpgrp())"


@pytest.mark.parametrize("init", [False, True], ids=["", "init"])
def test_command_is_healthy_and_ends_on_sigterm(run: Run, init: bool) -> None:
    with run("python", "-c", SLEEP, init=init) as container:
        wait_until(container, "healthy")
        docker.kill(container, signal="SIGTERM")
        assert docker.wait(container) == 143


def test_command_handles_sigterm_itself(run: Run) -> None:
    with run("python", "-c", HANDLER) as container:
        wait_for_line(container, "ready")
        docker.kill(container, signal="SIGTERM")
        assert docker.wait(container) == 0
        wait_for_line(container, "finished")


def test_orphans_are_reaped(run: Run) -> None:
    assert output(run, "python", "-c", ORPHAN) == (0, "")


def test_server_is_healthy_under_an_init_of_the_engine(run: Run) -> None:
    with run(init=True) as container:
        wait_until(container, "healthy")


def test_command_gets_its_arguments_and_sets_the_exit_status(run: Run) -> None:
    script = "import sys; print(sys.argv[1:]); sys.exit(7)"

    assert output(run, "python", "-c", script, "$HOME *", "") == (
        7,
        "['$HOME *', '']\n",
    )


def test_command_may_use_a_terminal(run: Run) -> None:
    status, shown = output(run, "python", "-c", IN_FOREGROUND, tty=True)

    assert (status, shown.split()) == (0, ["True", "True"])


def test_unknown_command_is_reported(run: Run) -> None:
    status, log = output(run, "no-such-command")

    assert status == 127
    assert "no-such-command" in log
