"""What a release may change in services: tools and configuration. Examples and requirements only if the change log says so."""

import re
import tomllib
from fnmatch import fnmatch

import pytest
from support import TEMPLATE
from updating import ALL, PRESENT, RELEASES, Service

# Teams replace them in their first week, so each change is a conflict.
EXAMPLES = [
    "src/*/app.py",
    "src/*/config.py",
    "src/*/models.py",
    "src/*/notes.py",
    "src/*/tasks.py",
    "src/*/settings.py",
]
EXAMPLES += ["src/*/urls.py", "src/*/views.py", "src/*/migrations/*", "tests/test_*.py", "README.md"]
# Before there is a release since 1.0.0, the present state is compared with itself.
LAST = next((release for release in reversed(RELEASES) if not release.startswith("0.")), PRESENT)


def requirements(service: Service) -> dict[str, str]:
    """Return the version range of each requirement."""
    project = tomllib.loads(service.text("pyproject.toml"))
    texts = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    return dict(re.match(r"([\w.-]+)(?:\[.*\])?(.*)", text).groups() for text in texts)


def unannounced(old: Service, new: Service, changes: str) -> list[str]:
    """Return what a release changes that its *changes* don't name."""
    before, after = old.files(), new.files()
    found = [file for file in before if any(fnmatch(file, one) for one in EXAMPLES) and before[file] != after.get(file)]
    found += before.keys() - after.keys()
    ranges = requirements(new)
    found += [name for name, versions in requirements(old).items() if ranges.get(name, versions) != versions]
    return sorted(name for name in set(found) if f"`{name.rpartition('/')[2]}`" not in changes)


@pytest.mark.parametrize("framework", ["flask", "django", "fastapi"])
def test_change_log_names_changed_examples_removed_files_and_requirements(framework, originals):
    log = (TEMPLATE / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased = log.partition("\n## Unreleased\n")[2].partition("\n## ")[0]
    answers = {"framework": framework, **ALL}

    assert unannounced(originals(LAST, **answers), originals(**answers), unreleased) == []


def test_unannounced_changes_are_found(originals, template, tmp_path):
    def change(folder) -> None:
        for pattern, old, new in (
            ("stacks/frameworks/flask/src/*/app.py*", '"""The', '"""Our'),
            ("stacks/frameworks/flask/choice.toml", "flask>=3", "flask>=4"),
            ("template/Dockerfile*", "# ", "# Our "),
        ):
            (file,) = folder.glob(pattern)
            text = file.read_text(encoding="utf-8")
            assert old in text
            file.write_text(text.replace(old, new, 1), encoding="utf-8")
        next(folder.glob("template/.envrc*")).unlink()

    old = originals()
    new = template.copy(tmp_path / "new", template.release(change))

    assert unannounced(old, new, "- `app.p` is new.") == [".envrc", "flask", "src/my_service/app.py"]
    assert unannounced(old, new, "- `flask`, `app.py` and `.envrc`") == []
