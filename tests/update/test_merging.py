"""Neighbouring changes are merged; changes of the same line or item stay a conflict."""

import pytest
from merging import merge

PYPROJECT = """[project]
dependencies = [
    {}
]

[tool.ruff.lint.per-file-ignores]
"tests/**" = ["S101"]
"""


def pyproject(*requirements: str, end: str = "") -> str:
    return PYPROJECT.format("\n    ".join(f'"{requirement}",' for requirement in requirements)) + end


def test_neighbouring_list_items_are_merged_separately():
    ours = pyproject("attrs>=1", "flask[async]>=3", "httpx>=1", "uwsgi>=2")
    theirs = pyproject("attrs>=2", "flask>=3", "granian>=2")

    merged = pyproject("attrs>=2", "flask[async]>=3", "granian>=2", "httpx>=1")
    assert merge(ours, pyproject("attrs>=1", "flask>=3", "uwsgi>=2"), theirs, ".toml") == (merged, False)


def test_unsorted_list_keeps_its_order():
    ours = pyproject("flask>=3", "attrs>=1", "httpx>=1")

    merged = pyproject("flask>=3", "attrs>=2", "httpx>=1")
    assert merge(ours, pyproject("attrs>=1", "flask>=3"), pyproject("attrs>=2", "flask>=3"), ".toml") == (merged, False)


def test_item_that_both_sides_changed_is_a_conflict():
    base = pyproject("flask>=3")

    for ours in (pyproject("flask==3.1"), pyproject("attrs>=1")):
        merged, conflict = merge(ours, base, pyproject("flask>=4"), ".toml")
        assert conflict
        assert "<<<<<<< before updating\n" in merged
        assert ">>>>>>> after updating\n" in merged


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        ("# why\na = 2\nb = 1\n", "# reason\na = 1\nb = 1\n", "# reason\na = 2\nb = 1\n"),
        ("# why\na = 2\nb = 1\n", "# why\na = 1\nb = 2\n", "# why\na = 2\nb = 2\n"),
        ("# why\na = 2\nb = 1\n", "# two\n# lines\na = 1\nb = 2\n", "# two\n# lines\na = 2\nb = 2\n"),
        ("# why\nours\na = 1\nb = 1\n", "# why\na = 2\nb = 1\n", "# why\nours\na = 2\nb = 1\n"),
        ("# why\na = 1\nours\nb = 1\n", "a = 1\nb = 2\n", "a = 1\nours\nb = 2\n"),
        ("# why\na = 2\nb = 1\n", "a = 1\nb = 1\n", "a = 2\nb = 1\n"),
    ],
)
def test_neighbouring_lines_are_merged_separately(ours: str, theirs: str, merged: str):
    assert merge(ours, "# why\na = 1\nb = 1\n", theirs, ".ini") == (merged, False)


def test_line_that_both_sides_changed_is_a_conflict_next_to_merged_ones():
    merged, conflict = merge("# why\na = 2\nb = 1\n", "# why\na = 1\nb = 1\n", "# reason\na = 3\nb = 2\n", ".ini")

    assert conflict
    assert "\na = 2\n" in merged
    assert "\na = 3\n" in merged


def test_appended_lines_stay_in_their_section():
    line, table = '"migrations/**" = ["E"]\n', "\n# Ours\n[tool.ours]\nanswer = 42\n"
    base = pyproject("flask>=3")

    for ours, theirs in ((line, table), (table, line)):
        merged, conflict = merge(base + ours, base, base + theirs, ".toml")
        assert (merged, conflict) == (base + line + table, False)


def test_lines_that_both_sides_appended_to_one_section_are_a_conflict():
    base = pyproject("flask>=3")

    assert merge(base + '"a/**" = ["E"]\n', base, base + '"b/**" = ["E"]\n', ".toml")[1]
    assert merge("a\nours\n", "a\n", "a\ntheirs\n", ".ini")[1]


def test_sections_at_the_end_of_a_document_follow_each_other():
    merged, conflict = merge("# A\n\nb\n\n## Ours\n", "# A\n\nb\n", "# A\n\nc\n\n## Theirs\n", ".md")

    assert (merged, conflict) == ("# A\n\nc\n\n## Theirs\n\n## Ours\n", False)


def test_binary_file_stays_in_conflict():
    assert merge("\0ours", "\0base", "\0theirs", ".bin") == ("\0ours", True)
