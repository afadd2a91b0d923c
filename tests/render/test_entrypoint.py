"""The entry point's own computation; tests/image/ shows that it starts the server and any other command."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def workers(render: Callable[..., Path], quota: str, folder: Path, **env: str) -> str:
    """Return the number of workers that the entry point chooses for a quota, as in /sys/fs/cgroup/cpu.max."""
    (folder / "cpu.max").write_text(f"{quota}\n", encoding="utf-8")
    script = (render() / "docker-entrypoint.sh").read_text(encoding="utf-8")
    assert "/sys/fs/cgroup/cpu.max" in script
    command = ["sh", "-c", script.replace("/sys/fs/cgroup/cpu.max", f"{folder}/cpu.max"), "sh"]
    result = subprocess.run([*command, "printenv", "WEB_CONCURRENCY"], check=True, stdout=subprocess.PIPE, env=env)
    return result.stdout.decode().strip()


@pytest.mark.parametrize(
    ("quota", "number"),
    [
        ("max 100000", "4"),
        ("10000 100000", "1"),
        ("100000 100000", "2"),
        ("130000 100000", "3"),
        ("3200000 100000", "8"),
    ],
)
def test_workers_follow_the_cpu_quota(quota: str, number: str, render: Callable[..., Path], tmp_path: Path) -> None:
    assert workers(render, quota, tmp_path, PATH="/usr/bin:/bin") == number


def test_given_number_of_workers_wins(render: Callable[..., Path], tmp_path: Path) -> None:
    assert workers(render, "100000 100000", tmp_path, PATH="/usr/bin:/bin", WEB_CONCURRENCY="7") == "7"
