"""Updates respect the owner of each file: the team, the template, or both."""

import pytest
from history import KINDS, Kind
from support import edit, git
from updating import PRESENT, owners

SAYS_SO = " An update overwrites this file."
HOOKS = ".pre-commit-config.yaml"
YOURS = [
    "README.md",
    HOOKS,
    "src/my_service/__init__.py",
    "src/my_service/app.py",
    "tests/test_app.py",
]
THE_TEMPLATES = ["docker-entrypoint.sh", "etc/healthcheck.py", "src/my_service/access.py", "docs/production.md"]


def append(file, line: str) -> None:
    file.write_text(f"{file.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")


@pytest.mark.parametrize("kind", {(kind.framework, kind.server): kind for kind in KINDS}.values(), ids=str)
def test_files_that_the_table_names_exist(kind: Kind, original):
    service = original(PRESENT, **kind.answers)
    (yours, template) = (
        [line for line in service.text("docs/updating.md").splitlines() if line.startswith(f"| {owner} |")]
        for owner in ("yours", "the template's")
    )
    named = yours[0].split("`")[1::2] + template[0].split("`")[1::2]

    assert [name for name in named if not list(service.folder.glob(name))] == []


def test_files_that_an_update_overwrites_carry_a_notice(original):
    service = original(PRESENT, license="MIT")

    says_so = {file for file in service.files() if SAYS_SO in service.text(file)}

    assert says_so == {file for file, owner in owners(service).items() if owner == "the template's"}


def test_files_of_the_team_are_never_changed(make, newer):
    service = make(template=newer)
    for file in ["tests/test_config.py", *YOURS]:
        append(newer.source(file), "# The template's")
    newer.release("1001.0.0")
    for file in YOURS[1:]:
        append(service.folder / file, "# Ours")
    (service.folder / "tests/test_config.py").unlink()
    service.commit()
    before = service.files()

    service.update(version="1001.0.0")

    assert service.conflicts() == []
    assert {**service.files(), ".copier-answers.yml": before[".copier-answers.yml"]} == before


def test_hooks_of_an_older_service_stay_and_deleted_ones_do_not_come_back(make, newer):
    older = make("0.4.0")
    (older.folder / HOOKS).write_text("repos: []\n", encoding="utf-8")
    older.commit()
    present = make(template=newer)
    append(newer.source(HOOKS), "# The template's")
    newer.release("1001.0.0")
    (present.folder / HOOKS).unlink()
    present.commit()

    older.update()
    present.update(version="1001.0.0")

    assert (older.conflicts(), present.conflicts()) == ([], [])
    assert older.text(HOOKS) == "repos: []\n"
    assert not (present.folder / HOOKS).exists()


def test_files_of_the_template_are_overwritten_and_edits_reported(make, newer):
    service = make(template=newer)
    for file in THE_TEMPLATES:
        append(newer.source(file), "# The template's")
    newer.release("1001.0.0")
    append(service.folder / THE_TEMPLATES[0], "# Ours")
    (service.folder / THE_TEMPLATES[0]).chmod(0o644)
    (service.folder / THE_TEMPLATES[1]).unlink()
    edit(service.folder / THE_TEMPLATES[2], (r"\Z", "# Ours\n"))
    ours = service.folder / "tests/container/test_ours.py"
    ours.write_text("# Ours\n")
    service.commit()

    said = service.update(version="1001.0.0")

    assert service.conflicts() == []
    assert service.files()["docker-entrypoint.sh"][0]
    for file in THE_TEMPLATES:
        assert service.text(file).endswith("# The template's\n")
        assert "# Ours" not in service.text(file)
    assert ours.read_text() == "# Ours\n"
    assert "etc/healthcheck.py was restored" in said
    for file in (THE_TEMPLATES[0], THE_TEMPLATES[2]):
        assert f"{file} was overwritten: it belongs to the template. Your version: `git show HEAD:./{file}`" in said
        assert "# Ours" in git(service.folder, "show", f"HEAD:./{file}")


def test_edits_of_unchanged_template_files_are_overwritten_too(make):
    service = make()
    before = service.files()
    append(service.folder / "docker-entrypoint.sh", "# Ours")
    service.commit()

    service.update()

    assert service.files() == before


def test_shared_files_are_merged_and_stay_deleted(make, newer):
    service = make(template=newer)
    for file in (".dockerignore", ".gitignore", ".envrc"):
        append(newer.source(file), "# The template's")
    newer.release("1001.0.0")
    for file in (".dockerignore", ".gitignore"):
        edit(service.folder / file, (r"\A", "# Ours\n"))
    (service.folder / ".envrc").unlink()
    service.commit()

    service.update(version="1001.0.0")

    assert service.conflicts() == []
    for file in (".dockerignore", ".gitignore"):
        assert service.text(file).startswith("# Ours\n")
        assert service.text(file).endswith("# The template's\n")
    assert not (service.folder / ".envrc").exists()


def test_required_settings_are_kept(make, newer):
    service = make(template=newer)
    append(newer.source("tests/container/conftest.py"), "# The template's")
    newer.release("1001.0.0")
    append(service.folder / "example.env", "API_TOKEN=example-token")
    append(service.folder / "tests/container.toml", 'networks = ["backend"]')
    service.commit()

    service.update(version="1001.0.0")

    assert service.conflicts() == []
    assert service.text("example.env").endswith("\nAPI_TOKEN=example-token\n")
    assert service.text("tests/container.toml").endswith('\nnetworks = ["backend"]\n')
