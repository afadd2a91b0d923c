"""Merge changes of different lines that git reports as a conflict because they are next to each other.

These are neighbouring lines, items of lists in pyproject.toml, and sections at the end of a file.
"""

import re
import subprocess
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory

# The beginning of a section, by file suffix. In TOML, comments may precede it.
SECTION = {".md": re.compile(r"\s*#+ "), ".toml": re.compile(r"(\s*#.*\n|\s)*\[")}
LABELS = ("-L", "before updating", "-L", "last update", "-L", "after updating")

Lines = list[str]


def merge(ours: str, base: str, theirs: str, suffix: str) -> tuple[str, bool]:
    """Merge a service's text and the template's; return the result and whether it has conflict markers (Copier's)."""
    versions = [text.splitlines(keepends=True) for text in (ours, base, theirs)]
    if suffix == ".toml":
        merge_lists(*versions)
    end = cut_sections(*versions, suffix)
    merge_neighbours(*versions)
    with TemporaryDirectory(prefix="merge-") as folder:
        files = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for file, lines in zip(files, versions, strict=True):
            file.write_bytes(encode("".join(lines)))
        merged = subprocess.run(["git", "merge-file", "-p", *LABELS, *files], check=False, stdout=subprocess.PIPE)
    if not 0 <= merged.returncode <= 127:  # A binary file.
        return ours, True
    return decode(merged.stdout) + end, merged.returncode != 0


def merge_lists(ours: Lines, base: Lines, theirs: Lines) -> None:
    """Merge each list item by item, where that is possible, and put the result into all three versions."""
    for name in lists(base):
        places = [lists(lines).get(name) for lines in (ours, base, theirs)]
        if None in places:
            continue
        versions = [items(lines[place]) for lines, place in zip((ours, base, theirs), places, strict=True)]
        if None in versions or (merged := merge_items(*versions)) is None:
            continue
        for lines, place in zip((ours, base, theirs), places, strict=True):
            lines[place] = merged


def lists(lines: Lines) -> dict[tuple[str, str], slice]:
    """Find the lists with one item per line, by table and key."""
    table, found = "", {}
    for number, line in enumerate(lines):
        if line.startswith("["):
            table = line
        elif line.endswith("= [\n") and "]\n" in lines[number:]:
            found[table, line] = slice(number + 1, lines.index("]\n", number))
    return found


def items(lines: Lines) -> dict[str, str] | None:
    """Return each item's line by its name, such as a requirement's, or None if two items have the same name."""
    named = {}
    for line in lines:
        requirement = re.match(r'\s*"([\w.-]+)', line)
        named[re.sub("[-_.]+", "-", requirement[1]).lower() if requirement else line] = line
    return named if len(named) == len(lines) else None


def merge_items(ours: dict[str, str], base: dict[str, str], theirs: dict[str, str]) -> Lines | None:
    """Merge item by item, or return None if both sides changed the same item."""
    merged = dict(ours)
    for name in {**base, **theirs}:
        mine, before, new = (version.get(name) for version in (ours, base, theirs))
        if new in (mine, before):
            continue
        if mine != before:
            return None
        if new is None:
            del merged[name]
        else:
            merged[name] = new
    if list(ours) == sorted(ours):  # Like `uv add`, keep a sorted list sorted.
        merged = dict(sorted(merged.items()))
    return list(merged.values())


def merge_neighbours(ours: Lines, base: Lines, theirs: Lines) -> None:
    """Apply changes of *theirs* to *ours* and *base* where *ours* didn't change these lines, even next to changed ones."""
    same = [block for block in SequenceMatcher(None, base, ours, autojunk=False).get_matching_blocks() if block.size]
    changes = SequenceMatcher(None, base, theirs, autojunk=False).get_opcodes()
    # From the end, so that line numbers stay valid.
    for _, start, end, new_start, new_end in reversed(
        [change for change in changes if change[0] in ("replace", "delete")]
    ):
        for block in same:
            if block.a <= start and end <= block.a + block.size:
                place = block.b - block.a
                ours[place + start : place + end] = theirs[new_start:new_end]
                base[start:end] = theirs[new_start:new_end]


def cut_sections(ours: Lines, base: Lines, theirs: Lines, suffix: str) -> str:
    """Remove the sections that one side appended, and return them: they go to the end of the merged file."""
    if begins := SECTION.get(suffix):
        for lines in (ours, theirs):
            text, start = appended(lines, base)
            if begins.match(text):
                del lines[start:]
                return text
    return ""


def appended(lines: Lines, base: Lines) -> tuple[str, int]:
    """Return the text that *lines* have after the last line of *base*, and its first line number."""
    operation, start, _, new_start, _ = SequenceMatcher(None, base, lines, autojunk=False).get_opcodes()[-1]
    if operation != "insert" or start != len(base):
        return "", len(lines)
    return "".join(lines[new_start:]), new_start


def decode(content: bytes) -> str:
    """Decode a file's content, even if it isn't UTF-8."""
    return content.decode(errors="surrogateescape")


def encode(text: str) -> bytes:
    """Encode what `decode` returned."""
    return text.encode(errors="surrogateescape")
