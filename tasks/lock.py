"""Make uv.lock in the current folder, or say how to make it. Runs after a copy and after an update.

It uses the standard library only. The exit status is always 0: Copier deletes a new service if a task fails.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# Copier's conflict markers.
CONFLICT = re.compile("^(<{7} before|>{7} after) updating", re.MULTILINE)
# Variables that name Copier's own environment or another project, or keep uv from writing the file.
NOT_FOR_UV = {"VIRTUAL_ENV", "UV_PROJECT", "UV_WORKING_DIR", "UV_FROZEN", "UV_LOCKED"}


def main() -> None:
    """Lock, and print the result."""
    try:
        message = lock()
    except Exception as error:
        message = f"uv.lock may be out of date ({error}): run `uv lock` in the service's folder."
    print(message, file=sys.stderr)


def lock() -> str:
    """Run `uv lock`, whose output the user sees; return the result."""
    if files := " and ".join(filter(in_conflict, ["pyproject.toml", ".python-version"])):
        return f"uv.lock is unchanged: resolve the conflict in {files}, then run `uv lock`."
    # In an update, there is a lock already.
    undone = "is not up to date" if Path("uv.lock").exists() else "was not made"
    # Inside `uvx`, uv may not be on PATH; it sets the variable UV to its own path.
    uv = shutil.which("uv") or os.environ.get("UV")
    if not uv:
        return f"uv.lock {undone}: there is no uv. Install it, then run `uv lock` in the service's folder."
    command = [uv, "lock"]
    version_file = Path(".python-version")
    version = version_file.read_text(encoding="utf-8").strip() if version_file.is_file() else ""
    env = {name: text for name, text in os.environ.items() if name not in NOT_FOR_UV}
    # A company's certificates: uv reads this variable; Git, and pip in a build, which uv may start, read their own.
    if certificates := env.get("SSL_CERT_FILE"):
        env = {"GIT_SSL_CAINFO": certificates, "PIP_CERT": certificates, **env}
    timeout = float(env.get("LOCK_TIMEOUT", "120"))
    try:
        python = find_python(version, uv) if version else None
        command += ["--python", python] if python else []
        # An index that doesn't respond must not block the copy. No resolution takes that long.
        status = subprocess.run(command, env=env, timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        # The exception may have the time that was left, such as 0.999.
        reason = f"uv took more than {timeout:g} s"
    except KeyboardInterrupt:
        reason = "uv was interrupted"
    except OSError as error:
        reason = f"uv does not start ({error})"
    else:
        if not status:
            return where(uv, env)
        reason = f"uv ended with exit status {status}" if status > 0 else f"uv was killed by signal {-status}"
        if status > 0 and version and not (python or find_python(version, uv)):
            reason = f"there is no Python {version} on this machine, and uv could not fetch one"
    return f"uv.lock {undone}: {reason}. Fix that, then run `uv lock` in the service's folder."


def in_conflict(file: str) -> bool:
    """Return whether an update left a conflict: markers in the file, or a `.rej` file next to it."""
    path = Path(file)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return Path(f"{file}.rej").exists() or bool(CONFLICT.search(text))


def find_python(version: str, uv: str) -> str | None:
    """Return the path of a Python ("3.13"): uv's choice, or else pyenv's newest, which uv skips if it isn't active."""
    command = [uv, "python", "find", "--system", "--no-project", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if found.returncode == 0:
        return found.stdout.strip()
    folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    pythons = {int(path.name.split(".")[2]): path for path in folder.glob(f"{version}.*") if path.name[-1].isdigit()}
    return str(pythons[max(pythons)] / f"bin/python{version}") if pythons else None


def where(uv: str, env: dict[str, str]) -> str:
    """Return where the lock is: a member of a uv workspace has none of its own."""
    find = [uv, "workspace", "dir"]  # fails in a uv that is too old
    root = subprocess.run(find, env=env, capture_output=True, text=True, check=False, timeout=30).stdout.strip()
    if Path("uv.lock").is_file() and root in ("", str(Path.cwd())):
        return "uv.lock is up to date."
    return (
        f"uv.lock is in {root or 'a folder above'}, because this service is a member of the uv workspace there. Its image "
        "needs its own: exclude the service (`exclude` in [tool.uv.workspace]), then run `uv lock` in its folder."
    )


if __name__ == "__main__":
    main()
