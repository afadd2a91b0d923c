"""What a release must not do to services of the last one, and tests of these checks."""

import re
from collections.abc import Callable

import pytest
import yaml
from history import FEW_KINDS, KINDS, LAST
from offered import marked
from updating import PRESENT, Template, TrackedService

# For each question without choices that is new since the last release, an answer other than its default.
OTHER_ANSWERS = {
    "base_image": "registry.example.com/base/debian:13.2",
    "python_version": "3.11",
    "database": "postgresql",
    "jobs": "procrastinate",
    "deploy": "kubernetes",
    "build_image": "registry.example.com/python-build:trixie",
}

# What an answer needs besides.
NEEDED = {"jobs": ["--data=database=postgresql"]}

# Their answers replace one another, so that each changes a service. test_untouched.py shows that services keep theirs.
REPLACING = {"settings_library"}

OURS = "# Ours, 5c1d7e\n"
NEWER = "1001.0.0"
KINDS_OF_LAST = {(kind.framework, kind.server): kind for kind in KINDS if kind.release == LAST}.values()


def test_a_new_question_changes_nothing_by_default(template: Template, make):
    for kind in KINDS_OF_LAST:
        assert changed_by_questions(template, make, PRESENT, LAST, **kind.answers) == []


@pytest.mark.parametrize("kind", marked(KINDS_OF_LAST, FEW_KINDS), ids=str)
def test_edits_move_with_their_files(kind, template: Template, make):
    assert left_behind(template, make, PRESENT, LAST, **kind.answers) == []


def changed_by_questions(
    template: Template, make: Callable[..., TrackedService], version: str, last: str, **answers: str
) -> list[str]:
    """Return the new questions whose defaults change an existing service.

    Changes from such a default don't occur with another answer; all other changes of a release occur with any answer.
    """

    def changes(*options: str) -> set[tuple[str, str]]:
        service = make(last, template, **answers)
        before = lines(service)
        service.update(*options, version=version)
        return before ^ lines(service)

    found = []
    by_default = None
    for name, question in new_questions(template, version, last).items():
        others = other_answers(name, question)
        if not others:
            found.append(f"{name}: give another answer than its default in OTHER_ANSWERS")
            continue
        by_default = by_default or changes()
        if any(not by_default <= changes(f"--data={name}={answer}", *NEEDED.get(name, [])) for answer in others):
            found.append(f"{name}: its default changes services")
    return found


def new_questions(template: Template, version: str, last: str) -> dict[str, dict]:
    """Return the questions that are new since the last release, without computed values."""
    new, old = (yaml.safe_load(template.show(release, "copier.yml")) for release in (version, last))
    return {
        name: question
        for name, question in new.items()
        if not name.startswith("_") and name not in {*old, *REPLACING} and question.get("when") is not False
    }


def other_answers(name: str, question: dict) -> list[str]:
    """Return the answers that aren't the default; for a question without choices, the one in OTHER_ANSWERS."""
    choices = ["true", "false"] if question.get("type") == "bool" else question.get("choices", [])
    if isinstance(choices, str):  # An expression
        choices = []
    answers = [str(choice) for choice in (choices.values() if isinstance(choices, dict) else choices)]
    default = str(question.get("default", "")).lower()
    others = [answer for answer in answers if answer.lower() != default]
    return others or [answer for key, answer in OTHER_ANSWERS.items() if key == name]


def lines(service: TrackedService) -> set[tuple[str, str]]:
    """Return each file, and each of its lines, except for the answers file."""
    return {
        (file, line)
        for file in service.files().keys() - {".copier-answers.yml"}
        for line in [None, *service.text(file).splitlines()]
    }


def left_behind(
    template: Template, make: Callable[..., TrackedService], version: str, last: str, **answers: str
) -> list[str]:
    """Return the files that a release moves or removes without keeping the edits in them."""
    service = make(last, template, **answers)
    before = service.files().keys()
    service.update(version=version)
    vanished = before - service.files().keys()
    if not vanished:
        return []

    service = make(last, template, **answers)
    for file in vanished:
        path = service.folder / file
        path.write_text(f"{path.read_text(encoding='utf-8')}# {file}: {OURS}", encoding="utf-8")
    service.commit()
    service.update(version=version)
    kept = "".join(service.text(file) for file in service.files().keys() - set(service.conflicts()))
    return sorted(file for file in vanished if f"# {file}: {OURS}" not in kept)


# --- Tests of these checks --------------------------------------------------------------------


QUESTIONS = """
fine:
  type: str
  choices: ["", Fine]
  default: ""
fine_text:
  type: str
  default: ""
fine_flag:
  type: bool
  default: false
computed:
  type: str
  default: Computed
  when: false
bad:
  type: str
  choices: ["", Bad]
  default: Bad
bad_map:
  type: str
  choices: {no: "", yes: Bad}
  default: Bad
bad_text:
  type: str
  default: Bad
bad_flag:
  type: bool
  default: true
unknown_text:
  type: str
  default: ""
"""


@pytest.mark.slow
def test_defaults_that_change_services_are_detected(make, newer, monkeypatch):
    config = newer.folder / "copier.yml"
    config.write_text(f"{config.read_text(encoding='utf-8')}\n{QUESTIONS}", encoding="utf-8")
    dockerfile = newer.source("Dockerfile")
    uses = "".join(
        f"{{% if {name} %}}\n# {name}={{{{ {name} }}}}\n{{% endif %}}\n" for name in yaml.safe_load(QUESTIONS)
    )
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8") + uses, encoding="utf-8")
    newer.release(NEWER)
    monkeypatch.setitem(OTHER_ANSWERS, "fine_text", "Fine")
    monkeypatch.setitem(OTHER_ANSWERS, "bad_text", "Worse")

    assert changed_by_questions(newer, make, NEWER, PRESENT) == [
        "bad: its default changes services",
        "bad_map: its default changes services",
        "bad_text: its default changes services",
        "bad_flag: its default changes services",
        "unknown_text: give another answer than its default in OTHER_ANSWERS",
    ]


def move_in_template(template: Template) -> None:
    source = template.source("etc/uwsgi.ini")
    text = source.read_text(encoding="utf-8")
    source.with_name("server.ini.jinja").write_text(f"# Said by a newer release.\n{text}", encoding="utf-8")
    source.unlink()


def test_a_file_that_moves_without_its_edits_is_detected(make, newer):
    move_in_template(newer)
    newer.release(NEWER)

    assert left_behind(newer, make, NEWER, PRESENT) == ["etc/uwsgi.ini"]


def test_a_file_that_is_removed_with_its_edits_is_detected(make, newer):
    newer.source(".envrc").unlink()
    newer.release(NEWER)

    assert left_behind(newer, make, NEWER, PRESENT) == [".envrc"]


def test_a_migration_moves_edits_with_their_file(make, newer):
    """The recipe in CONTRIBUTING.md."""
    move_in_template(newer)
    document = (newer.folder / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)
    recipe = recipe.replace("0.3.0", NEWER).replace("OLD", "etc/uwsgi.ini").replace("NEW", "etc/server.ini")
    config = newer.folder / "copier.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("_migrations:\n", f"_migrations:\n{recipe}", 1), encoding="utf-8")
    newer.release(NEWER)

    assert left_behind(newer, make, NEWER, PRESENT) == []
    service = make(PRESENT, newer)
    service.update(version=NEWER)
    assert service.text("etc/server.ini").startswith("# Said by a newer release.\n")
    assert service.conflicts() == []
