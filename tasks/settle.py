"""Finish an update in the current folder, after Copier's merge.

It does what Copier doesn't:

- Write the files of the service that a new answer brings; Copier excludes all files of the service from updates.
- Overwrite files that belong to the template.
- Merge files that moved with their version at the old path; Copier considers them new on both sides.
- Restore edited files that the template removed, as conflicts; Copier deletes them.
- Merge neighbouring changes, such as two requirements side by side: see merging.py.
- Mark all conflicts as unmerged in git, including those that Copier left as `.rej` files.

The exit status is always 0: the service has been merged by then.
"""

import filecmp
import shutil
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from keep import KEPT
from merging import decode, encode, merge

NOTHING = "0" * 40
CODE = ("src/", "tests/")


class Settling:
    """One update: the service, and its answers rendered with the old and with the new template."""

    def __init__(self, folder: Path, template: Path, answers_file: str, kept: Path) -> None:
        """Take the new template as Copier rendered it in the update, if it was kept; otherwise render it."""
        self._folder = folder
        self._source = template
        self._before: dict[str, Any] = yaml.safe_load(git("show", f"HEAD:./{answers_file}"))
        self._answers: dict[str, Any] = yaml.safe_load(Path(answers_file).read_bytes())
        same = (kept / answers_file).is_file() and yaml.safe_load((kept / answers_file).read_bytes()) == self._answers
        self.new = kept if same else self.complete()

    @property
    def old_package(self) -> str:
        """The package's folder before the update."""
        return f"src/{self._before['package_name']}/"

    @property
    def package(self) -> str:
        """The package's folder now."""
        return f"src/{self._answers['package_name']}/"

    @cache  # noqa: B019 a process makes only one update
    def _template(self) -> str:
        """Copy the new template without its history: Copier would clone one that has any, which takes longer."""
        template = self._folder / "template"
        shutil.copytree(self._source, template, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        return str(template)

    @cache  # noqa: B019
    def complete(self) -> Path:
        """Render the new template with the files of the service, which an update leaves out."""
        return self._render(self._template(), None, self._answers, self._folder / "new")

    @cache  # noqa: B019
    def old(self) -> Path:
        """Render the old template, with the package's new name."""
        answers = {**self._before, "package_name": self._answers["package_name"]}
        return self._render(answers["_src_path"], answers["_commit"], answers, self._folder / "old")

    @staticmethod
    def _render(source: str, ref: str | None, answers: Mapping[str, Any], folder: Path) -> Path:
        # Not imported above: that would take longer than everything else in an update that needs no rendering here.
        from copier import run_copy

        data = {name: answer for name, answer in answers.items() if not name.startswith("_")}
        run_copy(source, folder, data, vcs_ref=ref, defaults=True, quiet=True, skip_tasks=True, unsafe=True)
        return folder

    def start_with(self, own: list[str]) -> None:
        """Write the files of the service that its answers before the update didn't bring.

        Of code it writes all or nothing: an example's model would be of no use to a service that has models of its own.
        """
        if all(exists(file) for file in own):
            return
        new = self.complete()
        if all(exists(file) for file in own if (new / file).is_file()):
            return
        answers = {**self._before, "package_name": self._answers["package_name"]}
        without = self._render(self._template(), None, answers, self._folder / "without")
        brought = [file for file in own if not (without / file).exists() and (new / file).is_file()]
        has_code = any(exists(file) for file in brought if file.startswith(CODE))
        for file in brought:
            if not exists(file) and not (has_code and file.startswith(CODE)):
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(new / file, file)
                say(f"{file} is new, and yours to change.")

    def overwrite(self, patterns: list[str]) -> None:
        """Overwrite the files that belong to the template."""
        for file in files(self.new):
            if not is_one_of(file, patterns):
                continue
            here, there = Path(file), self.new / file
            if same(here, there):
                continue
            was = entry(file)
            if here.is_symlink() or here.exists():
                here.unlink()
            here.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(there, here)
            git("reset", "--quiet", "--", file)
            Path(f"{file}.rej").unlink(missing_ok=True)
            say(
                f"{file} was overwritten: it belongs to the template. "
                f"Your version: `git show HEAD:./{self._before_renaming(file)}`"
                if was
                else f"{file} was restored: it belongs to the template."
            )

    def _before_renaming(self, file: str) -> str:
        """Return the path of a file before the package was renamed."""
        return self.old_package + file.removeprefix(self.package) if file.startswith(self.package) else file

    def merge_moved(self, own: list[str], template_owned: list[str]) -> None:
        """Merge moved files with their version at the old path as the base."""
        moved = staged_moves()
        if self.package != self.old_package:
            # The old template is rendered with the new name, so paths within the package are the same in both.
            moved |= {file: file for file in files(self.new) if file.startswith(self.package)}
        for file, old_file in moved.items():
            base, theirs = self.old() / old_file, self.new / file
            if file in own or is_one_of(file, template_owned) or not base.is_file() or not theirs.is_file():
                continue
            if not (ours := entry(file)):
                Path(file).unlink(missing_ok=True)  # The service deleted it at the old path.
                continue
            mode, blob = ours
            here = self._folder / "ours"
            here.write_bytes(git_bytes("cat-file", "blob", blob))
            labels = ("-L", "before updating", "-L", "last update", "-L", "after updating")
            merge = subprocess.run(["git", "merge-file", *labels, here, base, theirs], check=False)
            shutil.copyfile(here, file)
            git("update-index", "--cacheinfo", f"{mode},{blob},{file}")
            if merge.returncode:
                mark_conflict(file, base, theirs)

    def restore_deleted(self) -> None:
        """Restore, as conflicts, edited files that the template removed."""
        # Copier doesn't change the index, so missing files were deleted by the merge.
        for file in git_files("ls-files", "--deleted"):
            base = self.old() / file
            if not base.is_file() or (self.new / file).exists():
                continue
            git("checkout", "--quiet", "--", file)
            if same(Path(file), base):
                Path(file).unlink()
            else:
                mark_conflict(file, base, None)
                say(
                    f"{file} is no longer in the template, but you edited it: delete it (git rm), or keep it (git add)."
                )

    def merge_again(self) -> None:
        """Merge files in conflict again, by items and sections, too."""
        for file in {*in_conflict(), *rejected()}:
            base, theirs, reject = self.old() / file, self.new / file, Path(f"{file}.rej")
            if not (ours := entry(file)) or not base.is_file() or not theirs.is_file():
                continue
            mode, blob = ours
            texts = (git_bytes("cat-file", "blob", blob), base.read_bytes(), theirs.read_bytes())
            merged, conflicts = merge(*map(decode, texts), theirs.suffix)
            if conflicts and reject.exists():  # The user chose `.rej` files.
                continue
            Path(file).write_bytes(encode(merged))
            if not conflicts:
                reject.unlink(missing_ok=True)
                git("update-index", "--cacheinfo", f"{mode},{blob},{git('rev-parse', '--show-prefix')}{file}")

    def mark_rejected(self) -> None:
        """Mark files with a `.rej` file as unmerged."""
        for file in rejected():
            if entry(file):
                mark_conflict(file, self.old() / file, self.new / file)


def main() -> None:
    """Finish the update, and print the remaining conflicts."""
    template, answers_file, own, template_owned, kept = sys.argv[1:]
    try:
        with TemporaryDirectory(prefix="update-") as folder:
            settling = Settling(Path(folder), Path(template), answers_file, Path(kept) / KEPT)
            settling.start_with(own.split())
            settling.overwrite(template_owned.split())
            settling.merge_moved(own.split(), template_owned.split())
            settling.restore_deleted()
            settling.merge_again()
            settling.mark_rejected()
    except Exception as error:
        files_of_template = ", ".join(template_owned.split())
        say(f"The update was merged but not finished ({error!r}): compare {files_of_template} with the template's.")
    if conflicts := in_conflict():
        say("In conflict, to be resolved by you:", *conflicts)


def exists(file: str) -> bool:
    """Return whether there is a file, or a package of the same name."""
    return Path(file).exists() or Path(file).with_suffix("").is_dir()


def is_one_of(file: str, patterns: list[str]) -> bool:
    """Return whether a file matches one of the patterns."""
    return any(fnmatchcase(file, pattern) for pattern in patterns)


def files(folder: Path) -> list[str]:
    """Return the relative paths of all files in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def same(here: Path, there: Path) -> bool:
    """Return whether a file exists with the content and the mode of another."""
    if here.is_symlink() or not here.is_file() or not filecmp.cmp(here, there, shallow=False):
        return False
    return (here.stat().st_mode & 0o111) == (there.stat().st_mode & 0o111)


def staged_moves() -> dict[str, str]:
    """Return the old path of each file that a migration moved."""
    index = entries()
    committed = dict(reversed(line.split(" ", 2)[2].split("\t")) for line in git_files("ls-tree", "-r", "HEAD"))
    gone = {blob: file for file, blob in committed.items() if file not in index}
    return {file: gone[blob] for file, (_, blob) in index.items() if file not in committed and blob in gone}


def in_conflict() -> list[str]:
    """Return the files that are unmerged in git."""
    return git_files("diff", "--name-only", "--diff-filter=U")


def rejected() -> list[str]:
    """Return the files for which Copier left a `.rej` file."""
    return [file.removesuffix(".rej") for file in git_files("ls-files", "--others", "--", "*.rej")]


def entries(*files: str) -> dict[str, tuple[str, str]]:
    """Return mode and blob of each file in git's index before the merge; of an unmerged file, our version's."""
    found = {}
    for line in git_files("ls-files", "--stage", "--", *files):
        state, file = line.split("\t", 1)
        mode, blob, stage = state.split()
        if stage in "02":
            found[file] = mode, blob
    return found


def entry(file: str) -> tuple[str, str] | None:
    """Return mode and blob of a file before the merge."""
    return entries(f":(literal){file}").get(file)


def mark_conflict(file: str, base: Path, theirs: Path | None) -> None:
    """Mark a file as unmerged in git's index."""
    if not (ours := entry(file)):
        return
    mode, blob = ours
    # Paths in the index are relative to the repository's top folder.
    path = git("rev-parse", "--show-prefix") + file
    stages = [f"0 {NOTHING}\t{path}", f"{mode} {blob} 2\t{path}"]
    for stage, version in ((1, base), (3, theirs)):
        if version and version.is_file():
            stages.append(f"{mode} {git('hash-object', '-w', '--', str(version))} {stage}\t{path}")
    subprocess.run(["git", "update-index", "--index-info"], check=True, text=True, input="\n".join(stages) + "\n")


def git_files(command: str, *options: str) -> list[str]:
    """Run a git command in the current folder, and return the items of its output."""
    relative = ["--relative"] if command == "diff" else []
    return git_bytes(command, *relative, "-z", *options).decode().split("\0")[:-1]


def git(*command: str) -> str:
    """Run git and return its output, stripped."""
    return git_bytes(*command).decode().strip()


def git_bytes(*command: str) -> bytes:
    """Run git and return its output as bytes."""
    return subprocess.run(["git", *command], check=True, stdout=subprocess.PIPE).stdout


def say(*lines: str) -> None:
    """Print lines to standard error, like Copier's own messages."""
    print("\n    ".join(lines), file=sys.stderr)


if __name__ == "__main__":
    main()
