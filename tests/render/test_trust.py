"""What a user sees who copies without what the template needs: the README's own words."""

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
    """Say whether the README quotes *text*, however it breaks the lines."""
    return " ".join(text.split()) in " ".join(README.split())


def test_without_trust_nothing_is_written_and_the_readme_has_the_cure(tmp_path):
    result = copier(tmp_path / "service")

    assert result.returncode == 4
    assert not (tmp_path / "service").exists()
    (message,) = re.findall("^Template uses .*", result.stderr, re.M)
    assert quoted(message)


def test_an_unsuitable_answer_is_explained_as_in_the_readme(tmp_path):
    result = copier(tmp_path / "service", "--trust", "--data", "package_name=class")

    assert result.returncode != 0
    assert not (tmp_path / "service").exists()
    # The traceback above it may quote the line of code that has these words, too.
    (message,) = re.findall(r"^ValueError: (Validation error .*)", result.stderr, re.MULTILINE)
    assert quoted(message)
