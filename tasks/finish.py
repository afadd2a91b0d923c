"""Finish an update, after Copier's merge, in the current folder: finish.py ANSWERS_FILE [OLD=NEW]...

Copier deletes a file that the template renamed or removed, also if the service had changed it. So this

- merges each file OLD that the template renamed to NEW; a release that renames a file adds the pair to copier.yml;
- names what needs a look: conflicts, rejected changes, and changed files that were deleted or overwritten.

The exit status is always 0: the service has been merged by then.
"""

import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

LABELS = ("-L", "before updating", "-L", "last update", "-L", "after updating")


def main() -> None:
    """Merge renamed files, and print what needs a look."""
    try:
        with TemporaryDirectory(prefix="update-") as folder:
            finish(sys.argv[1], [name.split("=") for name in sys.argv[2:]], Path(folder))
    except Exception as error:
        say(f"The update is merged, but wasn't checked for lost changes ({error}): look at `git status`.")


def finish(answers_file: str, renamed: list[list[str]], folder: Path) -> None:
    """Do the work of `main`, with a temporary folder."""
    deleted = files("ls-files", "--deleted")
    renamed = [(old, new) for old, new in renamed if Path(new).is_file() and committed(new) is None]
    if deleted or renamed:
        before = render(answers_file, folder / "before")
        for old, new in renamed:
            if (before / old).is_file():
                merge(old, new, before / old, folder)
                deleted.discard(old)
        for file in sorted(deleted):
            if not (before / file).is_file() or (before / file).read_bytes() != committed(file):
                say(f"{file} is no longer in the template, and was deleted with your changes. {show(file)}")
    conflicts = files("diff", "--name-only", "--relative", "--diff-filter=U")
    for file in sorted(files("diff", "--name-only", "--relative", "--diff-filter=M", "HEAD") - conflicts):
        if not is_text(committed(file) or b""):
            say(f"{file} isn't UTF-8 text, which Copier can't merge: it was overwritten. {show(file)}")
    for file in sorted(files("ls-files")):
        if file in conflicts:
            say(f"{file} is in conflict.")
        if Path(f"{file}.rej").exists():
            say(f"{file}.rej has changes of yours that don't fit into the new {file}.")


def render(answers_file: str, folder: Path) -> Path:
    """Render what the template made of the service's answers before the update."""
    import yaml
    from copier import run_copy

    answers = yaml.safe_load(committed(answers_file) or b"")
    data = {name: answer for name, answer in answers.items() if not name.startswith("_")}
    source, release = answers["_src_path"], answers["_commit"]
    run_copy(source, folder, data, vcs_ref=release, defaults=True, quiet=True, skip_tasks=True, unsafe=True)
    return folder


def merge(old: str, new: str, base: Path, folder: Path) -> None:
    """Merge the service's version of a renamed file into the template's, as Copier does."""
    ours = committed(old)
    if ours is None:  # What was deleted stays deleted.
        Path(new).unlink()
        return
    theirs = folder / "theirs"
    theirs.write_bytes(Path(new).read_bytes())
    Path(new).write_bytes(ours)
    if subprocess.run(["git", "merge-file", *LABELS, "--", new, base, theirs], check=False).returncode:
        (folder / "ours").write_bytes(ours)
        path = git("rev-parse", "--show-prefix").decode().strip() + new
        blobs = [git("hash-object", "-w", "--", str(file)).decode().strip() for file in (base, folder / "ours", theirs)]
        stages = "".join(f"100644 {blob} {stage}\t{path}\n" for stage, blob in enumerate(blobs, 1))
        subprocess.run(["git", "update-index", "--index-info"], check=True, input=stages.encode())


def files(*command: str) -> set[str]:
    """Run a Git command that lists files in the current folder."""
    return set(git(*command, "-z").decode().split("\0")) - {""}


def committed(file: str) -> bytes | None:
    """Return a file's content before the update, or None if there was no such file."""
    shown = subprocess.run(["git", "show", f"HEAD:./{file}"], check=False, capture_output=True)
    return None if shown.returncode else shown.stdout


def git(*command: str) -> bytes:
    """Run Git in the current folder; return its output."""
    return subprocess.run(["git", *command], check=True, stdout=subprocess.PIPE).stdout


def is_text(content: bytes) -> bool:
    """Return whether Copier can merge a file's content."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def show(file: str) -> str:
    """Return the advice how to see a file's version before the update."""
    return f"Your version: git show {shlex.quote(f'HEAD:./{file}')}"


def say(line: str) -> None:
    """Print a line to standard error, like Copier's messages."""
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
