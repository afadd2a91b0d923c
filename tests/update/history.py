"""The template's releases, and the combinations that each of them offered."""

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
    """A kind of service: its release, platform, framework and server."""

    release: str
    platform: str
    framework: str
    server: str

    @property
    def answers(self) -> dict[str, str]:
        """Return the answers for such a service."""
        return {"platform": self.platform, "framework": self.framework, "server": self.server}

    @property
    def answers_now(self) -> dict[str, str]:
        """What to answer to get the same from the present state: a service keeps the library that reads its settings."""
        has_other = self.framework == "fastapi" and "settings_library:" not in show(self.release, "copier.yml")
        return {**self.answers, **({"settings_library": "environ-config"} if has_other else {})}

    def __str__(self) -> str:
        return "-".join((self.release, self.platform, self.framework, self.server))


def show(release: str, path: str) -> str:
    """Return the text of a file in a release."""
    return git(release, "show", f"{RELEASES[release]}:{path}")


def listed(release: str, folder: str) -> list[str]:
    """Return the files in a folder of a release."""
    return git(release, "ls-tree", "-r", "-z", "--name-only", RELEASES[release], "--", folder).split("\0")[:-1]


def git(release: str, *command: str) -> str:
    """Run git in the template's repository and return its output.

    Raises:
        LookupError: It fails, probably because this clone doesn't have the *release*.
    """
    result = subprocess.run(["git", *command], cwd=TEMPLATE, check=False, capture_output=True, text=True)
    if result.returncode:
        raise LookupError(f"{release} is not in this clone: git fetch --unshallow ({result.stderr.strip()})")
    return result.stdout


def offered(release: str) -> list[Kind]:
    """Return the kinds that a release offered: each framework with each server, and each platform with the defaults."""
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
    """Import the module of a release that defines platforms, frameworks and servers."""
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
        # Dataclasses look up their module.
        sys.modules[module.__name__] = module
        spec.loader.exec_module(module)
    return module


def history() -> list[Kind]:
    """Return the kinds that updates are tested with: each one from its first release, and from the last release.

    Other releases contribute one kind per framework, so that each new release adds only a few.
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
# Tested with every change: of each release the first, and of each framework the oldest and the newest.
FEW_KINDS = list(
    dict.fromkeys(
        [
            *{kind.release: kind for kind in reversed(KINDS)}.values(),
            *{kind.framework: kind for kind in reversed(KINDS)}.values(),
            *{kind.framework: kind for kind in reversed(KINDS) if kind.release == LAST}.values(),
        ]
    )
)
FIRST_AND_LAST = [next(iter(RELEASES)), LAST]
