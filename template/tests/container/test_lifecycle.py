# An update overwrites this file.
"""How the service starts, is watched, and stops."""

import time

import pytest
from python_on_whales import Container, DockerException, docker

from .conftest import (
    Run,
    connect,
    execute,
    get,
    lines,
    output,
    processes,
    receive,
    send,
    wait_until,
)

HALF_A_REQUEST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
PATIENCE = 30  # seconds until something that should happen at once is given up


def wait_for_line(container: Container, text: str) -> None:
    """Return when a line of the log holds *text*."""
    deadline = time.monotonic() + PATIENCE
    while not any(text in line["event"] for line in lines(container)):
        assert time.monotonic() < deadline, f"not in the log: {text}"
        time.sleep(0.05)


def wait_until_busy(container: Container) -> None:
    """Return when nobody answers, because all workers have a request."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, "a worker is still free"
        with connect(container, b"GET /livez HTTP/1.0\r\n\r\n") as client:
            client.settimeout(0.5)
            try:
                client.recv(1)
            except TimeoutError:
                return


@pytest.mark.parametrize("signals", [["SIGTERM"], ["SIGINT"], ["SIGTERM", "SIGINT"]])
def test_stop_finishes_a_request_in_flight(run: Run, signals: list[str]) -> None:
    with run(envs={"WEB_CONCURRENCY": "1"}) as container:
        wait_until(container, "healthy")
        client = connect(container, HALF_A_REQUEST)
        wait_until_busy(container)

        for signal in signals:
            docker.kill(container, signal=signal)
        wait_for_line(container, "graceful shutdown triggered")
        client.sendall(b"\r\n")

        assert b" 200 OK\r\n" in receive(client)
        assert docker.wait(container) == 0


def test_stop_refuses_new_connections(run: Run) -> None:
    with run(envs={"WEB_CONCURRENCY": "2"}) as container:
        wait_until(container, "healthy")
        client = connect(container, HALF_A_REQUEST)

        docker.kill(container, signal="SIGTERM")
        wait_for_line(container, "shutting down all sockets")
        script = "import socket; socket.create_connection(('127.0.0.1', 8000), 5)"
        with pytest.raises(DockerException, match="ConnectionRefusedError"):
            execute(container, "python", "-c", script)
        client.sendall(b"\r\n")

        assert b" 200 OK\r\n" in receive(client)
        assert docker.wait(container) == 0


def test_stop_while_it_starts_ends_it(run: Run) -> None:
    with run() as container:
        wait_for_line(container, "Starting")
        docker.kill(container, signal="SIGTERM")
        assert docker.wait(container) in {0, 15}


def test_grace_period_bounds_a_stop_that_hangs(run: Run) -> None:
    with run() as container:
        wait_until(container, "healthy")
        send(container, "STOP", *processes(container))
        docker.stop(container, time=2)
        assert docker.wait(container) == 137


def test_worker_that_was_killed_comes_back(run: Run) -> None:
    with run() as container:
        wait_until(container, "healthy")
        before = processes(container)
        victim = min(before)
        send(container, "KILL", victim)

        deadline = time.monotonic() + PATIENCE
        while victim in (now := processes(container)) or len(now) < len(before):
            assert time.monotonic() < deadline, now
        assert "Z" not in now.values()
        assert get(container, "/livez")[0] == 200


def test_unhealthy_while_workers_hang(run: Run) -> None:
    often = {"health_interval": 1, "health_retries": 2, "health_timeout": 1}
    with run(**often) as container:
        wait_until(container, "healthy")
        send(container, "STOP", *processes(container))
        wait_until(container, "unhealthy")
        send(container, "CONT", *processes(container))
        wait_until(container, "healthy")


def test_workers_follow_the_limit_of_cpus(run: Run) -> None:
    with run(cpus=0.5) as container:
        wait_until(container, "healthy")
        assert len(processes(container)) == 2


def test_workers_and_port_are_as_told(run: Run) -> None:
    told = {"PORT": "8000", "WEB_CONCURRENCY": "3", "WEB_THREADS": "2"}
    with run(envs=told) as container:
        wait_until(container, "healthy")
        assert len(processes(container)) == 3
        assert get(container, "/livez")[0] == 200


@pytest.mark.parametrize("value", ["abc", "0", "65536", "", "8000 ", "-1"])
def test_refuses_a_port_that_makes_no_sense(run: Run, value: str) -> None:
    status, log = output(run, envs={"PORT": value})

    assert status == 2
    assert f'PORT is "{value}": give a whole number from 1 to 65535' in log


@pytest.mark.parametrize("name", ["WEB_CONCURRENCY", "WEB_THREADS"])
def test_refuses_a_number_that_makes_no_sense(run: Run, name: str) -> None:
    status, log = output(run, envs={name: "many"})

    assert status == 2
    assert f'{name} is "many": give a whole number from 1 to 1000' in log


def test_unusable_configuration_ends_it_with_the_reason_last(run: Run) -> None:
    with run(envs={"LOG_LEVEL": "shouting"}) as container:
        assert docker.wait(container) != 0
        last = lines(container)[-1]

    assert last["event"].startswith(
        'ValueError: LOG_LEVEL is "SHOUTING": choose one of'
    )
    assert last["level"] == "critical"


def test_unknown_option_ends_it_with_the_reason(run: Run) -> None:
    status, log = output(run, "--no-such-option")

    assert status != 0
    assert "unrecognized option '--no-such-option'" in log.splitlines()[-2]
