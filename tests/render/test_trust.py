"""Error messages of `copier copy`: the README quotes and explains them."""

import re
import subprocess
import sys
from pathlib import Path

from support import README, TEMPLATE


def copier(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref=HEAD", *options, TEMPLATE, folder],
        capture_output=True,
        text=True,
        check=False,
    )


def quoted(text: str) -> bool:
    """Return whether the README quotes *text*, with any line breaks."""
    return " ".join(text.split()) in " ".join(README.split())


def test_without_trust_nothing_is_written_and_the_readme_explains_it(tmp_path):
    result = copier(tmp_path / "service")

    assert result.returncode == 4
    assert not (tmp_path / "service").exists()
    (message,) = re.findall("^Template uses .*", result.stderr, re.M)
    assert quoted(message)


def test_an_unsuitable_answer_is_explained_as_in_the_readme(tmp_path):
    result = copier(tmp_path / "service", "--trust", "--data", "package_name=class")

    assert result.returncode != 0
    assert not (tmp_path / "service").exists()
    assert quoted(refusal(result))


def test_invalid_choice_is_explained_without_a_traceback(tmp_path):
    result = copier(tmp_path / "service", "--trust", "--data", "platform=fedora")

    assert result.returncode != 0
    assert not (tmp_path / "service").exists()
    assert refusal(result).startswith("Invalid choice for 'platform': 'fedora' is not in ['debian-13', ")


def test_any_other_error_keeps_its_traceback():
    fault = (
        "from jinja2 import Environment; from copying import CopyingExtension as X; Environment(extensions=[X]); 1 / 0"
    )

    python = subprocess.run(
        [sys.executable, "-c", fault], cwd=TEMPLATE / "extensions", capture_output=True, text=True, check=False
    )

    assert python.stderr.startswith("Traceback ")
    assert python.stderr.endswith("ZeroDivisionError: division by zero\n")


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Return an error message without the preceding warning about uncommitted changes."""
    warning = r"\A\S+: DirtyLocalWarning: .*\n  .*\n"
    return re.sub(warning, "", result.stderr)
