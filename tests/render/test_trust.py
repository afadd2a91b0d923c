"""Errors of `copier copy`, as README.md explains them; nothing is written."""

import re
import subprocess
import sys
from pathlib import Path

from support import README, TEMPLATE


def copier(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "copier", "copy", "--defaults", "--vcs-ref=HEAD", *options]
    result = subprocess.run([*command, TEMPLATE, folder], env=env or None, capture_output=True, text=True, check=False)
    assert not folder.exists()
    return result


def explained(text: str) -> bool:
    """Return whether the README quotes a message, with any line breaks."""
    return bool(text) and " ".join(text.split()) in " ".join(README.split())


def test_copy_without_trust_writes_nothing(tmp_path):
    result = copier(tmp_path / "service")

    assert result.returncode == 4
    assert explained(result.stderr.partition("\n")[0])


def test_copy_without_the_packages_writes_nothing(tmp_path):
    (tmp_path / "jinja2_time.py").write_text("raise ModuleNotFoundError(\"No module named 'jinja2_time'\")")
    result = copier(tmp_path / "service", "--trust", PYTHONPATH=str(tmp_path), PATH="/usr/bin:/bin")

    assert result.returncode != 0
    assert explained(re.search("Copier could not load .*", result.stderr)[0])


def test_refusals_have_no_traceback(tmp_path):
    result = copier(tmp_path / "service", "--trust", "--data=package_name=class")
    assert result.returncode == 1
    assert explained(result.stderr)

    result = copier(tmp_path / "service", "--trust", "--data=platform=fedora")
    assert result.stderr.startswith("Invalid choice for 'platform': 'fedora' is not in ['debian-13', ")


def test_any_other_error_keeps_its_traceback():
    fault = (
        "from jinja2 import Environment; from copying import CopyingExtension as X; Environment(extensions=[X]); 1 / 0"
    )
    folder = TEMPLATE / "extensions"
    python = subprocess.run([sys.executable, "-c", fault], cwd=folder, capture_output=True, text=True, check=False)

    assert python.stderr.startswith("Traceback ")
    assert python.stderr.endswith("ZeroDivisionError: division by zero\n")
