"""The choices in stacks/, and what a service gets from those that were made: see docs/how-to/extend.md.

A choice is a folder, stacks/KIND/NAME/. Its files are files of the service, under the names that they have there, but
`choice.toml`, which has its values, `operations.md.jinja`, a section of docs/operations.md, and `with/OTHER/`, whose
files it adds if the service also has OTHER: another choice, the framework's interface or its ORM.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

    from jinja2 import Environment

TEMPLATE = Path(__file__).resolve().parent.parent
STACKS = TEMPLATE / "stacks"
NONE = "none"
VALUES, SECTION, WITH, SUFFIX = "choice.toml", "operations.md.jinja", "with", ".jinja"

# A custom base image, derived from Debian or Ubuntu: two more questions ask for the image and its Python.
OTHER = "other"
OTHER_LABEL = "Another base image, like Debian or Ubuntu"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

PLATFORMS: dict[str, Any] = tomllib.loads((STACKS / "platforms.toml").read_text(encoding="utf-8"))


def read_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Return the values of each choice of a kind, in the order of the menu."""
    files = (STACKS / kind).glob(f"*/{VALUES}")
    rows = {file.parent.name: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}
    return dict(sorted(rows.items(), key=lambda row: (row[1]["order"], row[0])))


# The folder of each kind in stacks/, and its question.
KINDS = {
    "frameworks": "framework",
    "servers": "server",
    "databases": "database",
    "jobs": "jobs",
    "deploy": "deploy",
    "ci": "ci",
}
CHOICES = {question: read_kind(kind) for kind, question in KINDS.items()}
FRAMEWORKS, SERVERS = CHOICES["framework"], CHOICES["server"]


def platform_choices() -> dict[str, str]:
    """Return the platforms, by label."""
    return {row["label"]: name for name, row in PLATFORMS.items()} | {OTHER_LABEL: OTHER}


def framework_choices() -> dict[str, str]:
    """Return the frameworks, by label."""
    return {row["label"]: name for name, row in FRAMEWORKS.items()}


def server_choices(framework: str) -> dict[str, str]:
    """Return the servers for the framework's interface, by label. The framework may name its default."""
    interface, first = FRAMEWORKS[framework]["interface"], FRAMEWORKS[framework].get("server")
    names = [name for name, row in SERVERS.items() if interface in row["interfaces"]]
    names.sort(key=lambda name: name != first)
    return {SERVERS[name]["label"]: name for name in names}


def option_choices(question: str, framework: str) -> dict[str, str]:
    """Return the choices of an optional kind that suit the framework, by label; "none" is the first."""
    rows = CHOICES[question].items()
    suitable = {row["label"]: name for name, row in rows if framework in row.get("frameworks", [framework])}
    return {"None": NONE} | suitable


def make_stack(**answers: str) -> dict[str, Any]:
    """Return what the template needs about the choices among the *answers*."""
    platform = PLATFORMS.get(answers["platform"]) or {
        "base_image": answers["base_image"],
        "python": answers["python_version"],
    }
    chosen = {kind: answers[question] for kind, question in KINDS.items() if answers[question] != NONE}
    folders = [STACKS / kind / name for kind, name in chosen.items()]
    rows = [CHOICES[KINDS[kind]][name] for kind, name in chosen.items()]
    # What the framework's values are with the database.
    rows[0] = rows[0] | rows[0].get(WITH, {}).get(answers["database"], {})
    framework, server = rows[:2]
    traits = sorted({*chosen.values(), framework["interface"], framework["orm"]})
    # What the choices bring, and what they bring in addition because of one another.
    rows += [row[WITH][trait] for row in rows for trait in traits if trait in row.get(WITH, {})]
    package, module = answers["package_name"], f"{answers['package_name']}.{framework['interface']}"

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, str):
            for name, text in {"package_name": package, "module": module, "interface": framework["interface"]}.items():
                value = value.replace("{{ " + name + " }}", text)
            return value
        return value

    brought = [
        {"path": fill(path), "source": source}
        for folder in folders
        for part in (folder, *(folder / WITH / trait for trait in traits))
        for path, source in files(part)
    ]
    return {
        "base_image": platform["base_image"],
        "python": platform["python"],
        "interpreter": platform.get("interpreter", f"/usr/bin/python{platform['python']}"),
        # Empty if the base image has Python, as Docker's official ones do.
        "python_package": "" if "interpreter" in platform else f"python{platform['python']}",
        "interface": framework["interface"],
        "orm": framework["orm"],
        "framework": fill(framework),
        "server": fill(server),
        "requirements": sorted({item for row in rows for item in row.get("requirements", ())}),
        "dev_requirements": sorted({item for row in rows for item in row.get("dev_requirements", ())}),
        # Variables that the image sets.
        "environment": fill({name: text for row in rows for name, text in row.get("environment", {}).items()}),
        # An example value for each setting that has no default.
        "example": fill({name: text for row in rows for name, text in row.get("example", {}).items()}),
        "module": module,
        "sections": [
            (folder / SECTION).relative_to(TEMPLATE).as_posix() for folder in folders if (folder / SECTION).exists()
        ],
        "files": brought,
        "etc": any(file["path"].startswith("etc/") for file in brought),
    }


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the path in the service, and the path in the template, of each file that a folder brings."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if file.is_file() and path.parts[0] not in (VALUES, SECTION, WITH) and "__pycache__" not in path.parts:
            yield path.as_posix().removesuffix(SUFFIX), file.relative_to(TEMPLATE).as_posix()


def source_text(source: str) -> str:
    """Return the text of a file in the template, unrendered."""
    return (TEMPLATE / source).read_text(encoding="utf-8")


def reserved(package_name: str, framework: str) -> bool:
    """Return whether the framework has an app of this name itself."""
    return package_name in FRAMEWORKS[framework].get("reserved", ())


def unreserved(package_name: str, framework: str) -> str:
    """Return the package name, with a suffix if the framework uses it itself."""
    return f"{package_name}_app" if reserved(package_name, framework) else package_name


def check_reserved(package_name: str, framework: str) -> str:
    """Return why a service with this framework can't use this package name, or an empty string."""
    if not reserved(package_name, framework):
        return ""
    name = FRAMEWORKS[framework]["name"]
    return f'write {unreserved(package_name, framework)}\n{name} has an app of its own called "{package_name}".'


def check_jobs(jobs: str, database: str) -> str:
    """Return why a service can't have these jobs, or an empty string."""
    if jobs == NONE or database != NONE:
        return ""
    return f"answer database=postgresql, too\n{CHOICES['jobs'][jobs]['name']} keeps the jobs in a database."


def check_framework(framework: str, answers_file: PurePath) -> str:
    """Return why a service can't change to this framework, or an empty string; *answers_file* may not exist yet."""
    file = Path(answers_file)
    before = file.is_file() and re.search(r"^framework: (\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    if not before or before[1] == framework:
        return ""
    return f"start a new service\nA {before[1]} service can't change to {framework}: its code depends on the framework."


class ChoicesExtension(Extension):
    """Globals and filters for the questions and for the files in template/."""

    def __init__(self, environment: Environment) -> None:
        """Register them."""
        super().__init__(environment)
        environment.globals.update(
            make_stack=make_stack,
            platform_choices=platform_choices,
            framework_choices=framework_choices,
            server_choices=server_choices,
            option_choices=option_choices,
            pythons=PYTHONS,
        )
        for function in (check_framework, check_jobs, check_reserved, unreserved, source_text):
            environment.filters[function.__name__] = function
