"""The template's releases, and what each of them offered."""

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from support import TEMPLATE

RELEASES: dict[str, str] = tomllib.loads((TEMPLATE / "releases.toml").read_text(encoding="utf-8"))
LAST = list(RELEASES)[-1]


@dataclass(frozen=True)
class Kind:
    """A kind of service: the release that it is made from, and what it is made of."""

    release: str
    platform: str
    framework: str
    server: str

    @property
    def answers(self) -> dict[str, str]:
        """What to answer to get one."""
        return {"platform": self.platform, "framework": self.framework, "server": self.server}

    def __str__(self) -> str:
        return "-".join((self.release, self.platform, self.framework, self.server))


def show(release: str, path: str) -> str:
    """Give a file as a release has it."""
    return git(release, "show", f"{RELEASES[release]}:{path}")


def listed(release: str, folder: str) -> list[str]:
    """Give the files that a release has in a folder."""
    return git(release, "ls-tree", "-r", "-z", "--name-only", RELEASES[release], "--", folder).split("\0")[:-1]


def git(release: str, *command: str) -> str:
    """Run git on a release; give its output."""
    result = subprocess.run(["git", *command], cwd=TEMPLATE, check=False, capture_output=True, text=True)
    if result.returncode:
        raise LookupError(f"{release} is not in this clone: git fetch --unshallow ({result.stderr.strip()})")
    return result.stdout


def offered(release: str) -> list[Kind]:
    """List what a release offered: each server for each framework, and each platform with its defaults."""
    module = choices_of(release)
    first = next(iter(module.PLATFORMS))
    kinds = [
        Kind(release, first, framework, server)
        for framework in module.FRAMEWORKS
        for server in module.server_choices(framework).values()
    ]
    others = [Kind(release, other, kinds[0].framework, kinds[0].server) for other in module.PLATFORMS if other != first]
    return kinds + others


def choices_of(release: str) -> ModuleType:
    """Import what a release says of platforms, frameworks and servers."""
    with TemporaryDirectory() as folder:
        # Later releases have their data in stacks/.
        for path in (*listed(release, "extensions"), *listed(release, "stacks")):
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(show(release, path), encoding="utf-8")
        (file,) = [
            path for name in ("platforms", "choices") if (path := Path(folder, f"extensions/{name}.py")).exists()
        ]
        spec = spec_from_file_location(f"choices_of_{release}", file)
        module = module_from_spec(spec)
        # Dataclasses look their module up.
        sys.modules[module.__name__] = module
        spec.loader.exec_module(module)
    return module


def history() -> list[Kind]:
    """List the kinds that updates are tested with: from the first release that offered it, and from the last, each.

    Of the releases between, one of each framework: however many there will be, each adds few.
    """
    kinds, seen = [], set()
    for release in RELEASES:
        frameworks = set()
        for kind in offered(release):
            stack = tuple(kind.answers.values())
            if release == LAST or stack not in seen or kind.framework not in frameworks:
                kinds.append(kind)
            frameworks.add(kind.framework)
            seen.add(stack)
    return kinds


KINDS = history()
