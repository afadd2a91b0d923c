"""Move a service's file or folder before an update, so that edits in it are merged at the template's new path.

move.py OLD NEW                    move a path that a release of the template moved
move.py --package ANSWERS [NAME]   move the package, if the team renamed it or NAME is another name

The move is made in the working tree and in git's index, which Copier compares with the template.
"""

import re
import subprocess
import sys
from pathlib import Path

import yaml

sys.path.append(str(Path(__file__).resolve().parent.parent / "extensions"))
from names import check_package_name


def main() -> None:
    """Run the command line."""
    if sys.argv[1] == "--package":
        follow_package(Path(sys.argv[2]), sys.argv[3])
    else:
        move(*sys.argv[1:])


def move(old: str, new: str) -> bool:
    """Move a tracked path, unless *new* is tracked already; return whether it was moved."""
    if not tracked(old) or tracked(new):
        return False
    if Path(new).exists():
        sys.exit(f"{old} can't be moved to {new}: an untracked {new} exists. Move it away, then update again.")
    Path(new).parent.mkdir(parents=True, exist_ok=True)
    git("mv", old, new)
    print(f"{old} is now {new}.", file=sys.stderr)
    return True


def follow_package(answers_file: Path, wanted: str) -> None:
    """Update the package's name in the answers file, its folder and its imports."""
    text = answers_file.read_text(encoding="utf-8")
    name = yaml.safe_load(text)["package_name"]
    new = wanted or (name if tracked(f"src/{name}") else the_package())
    # Copier itself refuses an invalid name.
    if new == name or check_package_name(new):
        return
    if tracked(f"src/{name}") and tracked(f"src/{new}"):
        sys.exit(f"src/{name} can't be moved to src/{new}, which exists: merge the two packages, then update again.")
    if move(f"src/{name}", f"src/{new}"):
        for file in tracked("*.py"):
            rename_imports(Path(file), name, new)
        for file in tracked("README.md"):
            rename_paths(Path(file), name, new)
    # From here on, the default of the question. Copier rewrites the file.
    answers_file.write_text(re.sub(r"(?m)^package_name:.*", f"package_name: {new}", text), encoding="utf-8")


def the_package() -> str:
    """Return the name of the only package in src/, or an empty string."""
    packages = [Path(file).parent.name for file in tracked("src/*/__init__.py") if file.count("/") == 2]
    return packages[0] if len(packages) == 1 else ""


def rename_imports(file: Path, old: str, new: str) -> None:
    """Replace the package's name in a module's imports."""
    replace(file, rb"(?m)^(\s*(?:from|import)\s+)%b\b" % old.encode(), rb"\g<1>" + new.encode())


def rename_paths(file: Path, old: str, new: str) -> None:
    """Replace the package's name in a document's paths and entry modules; elsewhere it may be an ordinary word."""
    replace(file, rb"(\bsrc/)%b(?=/)" % old.encode(), rb"\g<1>" + new.encode())
    replace(file, rb"\b%b(?=\.[aw]sgi\b)" % old.encode(), new.encode())


def replace(file: Path, pattern: bytes, replacement: bytes) -> None:
    """Replace a pattern in a file, and in git's index, too."""
    text = file.read_bytes()
    renamed = re.sub(pattern, replacement, text)
    if renamed != text:
        file.write_bytes(renamed)
        git("add", "--", str(file))


def tracked(path: str) -> list[str]:
    """Return the tracked files at a path or pattern."""
    return git("ls-files", "-z", "--", path).split("\0")[:-1]


def git(*command: str) -> str:
    """Run git and return its output."""
    return subprocess.run(["git", *command], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
