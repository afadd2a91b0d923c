"""The entry point's own computation; tests/image/ shows that it starts the server and any other command."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def run(script: str, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Let the entry point run a command."""
    env = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, check=False, text=True, env=env)


def workers(render: Callable[..., Path], quota: str, folder: Path, **env: str) -> str:
    """Return the number of workers that the entry point chooses for a quota, as in /sys/fs/cgroup/cpu.max."""
    (folder / "cpu.max").write_text(f"{quota}\n", encoding="utf-8")
    script = (render() / "docker-entrypoint.sh").read_text(encoding="utf-8")
    assert "/sys/fs/cgroup/cpu.max" in script
    script = script.replace("/sys/fs/cgroup/cpu.max", f"{folder}/cpu.max")
    return run(script, "printenv", "WEB_CONCURRENCY", **env).stdout.strip()


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
    assert workers(render, quota, tmp_path) == number


def test_given_number_of_workers_wins(render: Callable[..., Path], tmp_path: Path) -> None:
    assert workers(render, "100000 100000", tmp_path, WEB_CONCURRENCY="7") == "7"


def test_files_of_secrets_set_variables(render: Callable[..., Path], tmp_path: Path) -> None:
    secrets = {"API_TOKEN": "a $b 'c\"\n", "KEY": "-----BEGIN\n\n-----END\n"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value, encoding="utf-8")
    script = (render() / "docker-entrypoint.sh").read_text(encoding="utf-8")

    result = run(script, "printenv", *secrets, SECRETS_DIR=str(tmp_path), KEY="another")

    assert result.stdout == "".join(secrets.values())
    assert run(script, "printenv", *secrets, KEY="another").stdout == "another\n"


@pytest.mark.parametrize(("file", "reason"), [("none/A", "No such file"), ("a-b", "a-b")])
def test_useless_secrets_stop_the_start(file: str, reason: str, render: Callable[..., Path], tmp_path: Path) -> None:
    script = (render() / "docker-entrypoint.sh").read_text(encoding="utf-8")
    if file == "a-b":
        (tmp_path / file).touch()

    result = run(script, "true", SECRETS_DIR=str((tmp_path / file).parent))

    assert result.returncode != 0
    assert reason in result.stderr
