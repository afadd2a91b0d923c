"""A service of an earlier release gets a database, and jobs, by an update."""

import os

import pytest
from offered import marked
from recipes import follow, sections
from support import Service, edit, engine
from updating import PRESENT, owners

ADDED = "--data=database=postgresql"
JOBS_ADDED = "--data=jobs=procrastinate"
FRAMEWORKS = ["flask", "django", "fastapi"]
# The last release that asks for neither.
BEFORE = "0.6.0"


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("release", marked([BEFORE, PRESENT], [BEFORE]))
def test_database_is_added(framework, release, make, original):
    service = make(release, framework=framework)
    before = service.files()

    messages = service.update(ADDED)

    assert service.conflicts() == []
    fresh = original(PRESENT, framework=framework, database="postgresql").files()
    after = service.files()
    yours = {name for name, owner in owners(original(PRESENT, framework=framework)).items() if owner == "yours"}
    assert {name: after[name] for name in yours if name in before} == {name: before[name] for name in yours & {*before}}
    assert {name: fresh[name] for name in after.keys() - yours} == {name: after[name] for name in after.keys() - yours}
    assert after.keys() == fresh.keys()
    assert "src/my_service/models.py is new, and yours to change." in messages


def test_another_update_does_not_bring_back_a_deleted_example(make):
    service = make(BEFORE)
    service.update(ADDED)
    for name in ("notes", "models"):
        (service.folder / f"src/my_service/{name}.py").unlink()
    service.commit()

    service.update()

    assert not list(service.folder.glob("src/my_service/[nm]o*.py"))


@pytest.mark.parametrize("models", ["models.py", "models/__init__.py"])
def test_example_stays_out_of_a_service_with_models(models, make):
    service = make(BEFORE, framework="django")
    own = service.folder / "src/my_service" / models
    own.parent.mkdir(exist_ok=True)
    own.write_text("# Ours\n", encoding="utf-8")
    service.commit()

    service.update(ADDED)

    assert own.read_text(encoding="utf-8") == "# Ours\n"
    assert not list(service.folder.rglob("*notes.py"))
    assert (service.folder / "src/my_service/migrate.py").exists()


@pytest.mark.parametrize("framework", marked(FRAMEWORKS, ["fastapi"]))
def test_service_uses_its_new_database(framework, make, user_env, use_engine):
    """By the steps of docs/database.md. Its tests start a database from this machine's packages, or in a container."""
    engine("stand-ins", "postgres:17")
    updated = make(BEFORE, framework=framework)
    updated.update(ADDED)
    service = Service(updated.folder, {**os.environ, **user_env})

    steps = sections(updated.text("docs/database.md"), 2)["In a service that had no database"]
    follow(steps, service)
    if framework == "django":
        edit(service.folder / "tests/test_config.py", (r'\n    assert config.database_url == "sqlite[^\n]*', ""))
        edit(service.folder / "tests/test_health.py", (r"django_db\n", "django_db(transaction=True)\n"))
    service.run("uv sync")
    service.run("uv run poe format")

    service.run("uv run poe check")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_jobs_are_added(framework, make, original):
    service = make(PRESENT, framework=framework, database="postgresql")
    before = service.files()

    messages = service.update(JOBS_ADDED)

    assert service.conflicts() == []
    fresh = original(PRESENT, framework=framework, database="postgresql", jobs="procrastinate").files()
    after = service.files()
    kinds = owners(original(PRESENT, framework=framework, database="postgresql"))
    yours = {name for name, owner in kinds.items() if owner == "yours"}
    assert {name: after[name] for name in yours if name in before} == {name: before[name] for name in yours & {*before}}
    assert {name: fresh[name] for name in after.keys() - yours} == {name: after[name] for name in after.keys() - yours}
    assert after.keys() == fresh.keys()
    assert "src/my_service/tasks.py is new, and yours to change." in messages


# The steps of the others are nothing but to queue a job.
@pytest.mark.parametrize("framework", marked(FRAMEWORKS, ["django"]))
def test_service_uses_its_new_jobs(framework, make, user_env, use_engine):
    """By the steps of docs/jobs.md."""
    engine("stand-ins", "postgres:17")
    updated = make(PRESENT, framework=framework, database="postgresql")
    updated.update(JOBS_ADDED)
    service = Service(updated.folder, {**os.environ, **user_env})
    if framework == "django":
        assert 'add `"procrastinate.contrib.django"` to `INSTALLED_APPS`' in updated.text("docs/jobs.md")
        settings = service.folder / "src/my_service/settings.py"
        edit(settings, (r'    "django.contrib.staticfiles",\n', r'\g<0>    "procrastinate.contrib.django",\n'))
    service.run("uv sync")

    service.run("uv run poe check")
