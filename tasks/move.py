"""Moves a service's file or folder before an update, so that the edits in it are merged where the template has it now.

move.py OLD NEW            what a release of the template has at another path
move.py --package ANSWERS [NAME]   the package, when the team renamed it or asks for another name

It moves in the working tree and in git's index, which Copier compares with the template.
"""

import re
import subprocess
import sys
from pathlib import Path

import yaml

sys.path.append(str(Path(__file__).resolve().parent.parent / "extensions"))
from names import check_package_name


def main() -> None:
    """Move, and say so."""
    if sys.argv[1] == "--package":
        follow_package(Path(sys.argv[2]), sys.argv[3])
    else:
        move(*sys.argv[1:])


def move(old: str, new: str) -> bool:
    """Move what git has at a path, unless it has something at the other."""
    if not tracked(old) or tracked(new):
        return False
    if Path(new).exists():
        sys.exit(f"{new} is in the way of {old}, which moves there: move it out of git's sight, then update again.")
    Path(new).parent.mkdir(parents=True, exist_ok=True)
    git("mv", old, new)
    print(f"{old} is now {new}.", file=sys.stderr)
    return True


def follow_package(answers_file: Path, wanted: str) -> None:
    """Let the answers say what the package is called, and its folder and imports follow."""
    text = answers_file.read_text(encoding="utf-8")
    name = yaml.safe_load(text)["package_name"]
    new = wanted or (name if tracked(f"src/{name}") else the_package())
    # Copier itself refuses what no package can be called.
    if new == name or check_package_name(new):
        return
    if tracked(f"src/{name}") and tracked(f"src/{new}"):
        sys.exit(f"src/{name} can't become src/{new}, which is there: make one package of both, then update again.")
    if move(f"src/{name}", f"src/{new}"):
        for file in tracked("*.py"):
            rename_imports(Path(file), name, new)
        for file in tracked("README.md"):
            rename_paths(Path(file), name, new)
    # The questions' defaults, from here on. Copier writes the file anew.
    answers_file.write_text(re.sub(r"(?m)^package_name:.*", f"package_name: {new}", text), encoding="utf-8")


def the_package() -> str:
    """Give the name of the only package there is, or nothing."""
    packages = [Path(file).parent.name for file in tracked("src/*/__init__.py") if file.count("/") == 2]
    return packages[0] if len(packages) == 1 else ""


def rename_imports(file: Path, old: str, new: str) -> None:
    """Make a module import the package by its new name."""
    replace(file, rb"(?m)^(\s*(?:from|import)\s+)%b\b" % old.encode(), rb"\g<1>" + new.encode())


def rename_paths(file: Path, old: str, new: str) -> None:
    """Make a document name the package's files and its entry module by the new name; elsewhere the name is a word."""
    replace(file, rb"(\bsrc/)%b(?=/)" % old.encode(), rb"\g<1>" + new.encode())
    replace(file, rb"\b%b(?=\.[aw]sgi\b)" % old.encode(), new.encode())


def replace(file: Path, pattern: bytes, replacement: bytes) -> None:
    """Replace what a pattern finds in a file, in git's index, too."""
    text = file.read_bytes()
    renamed = re.sub(pattern, replacement, text)
    if renamed != text:
        file.write_bytes(renamed)
        git("add", "--", str(file))


def tracked(path: str) -> list[str]:
    """Give the files that git has there."""
    return git("ls-files", "-z", "--", path).split("\0")[:-1]


def git(*command: str) -> str:
    """Run git; give its output."""
    return subprocess.run(["git", *command], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
