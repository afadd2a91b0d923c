"""Updates with other answers, from another place, with another answers file."""

import shutil

import pytest
from support import commit, git
from updating import ALL, append


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"framework": "flask"}, {"server": "granian", "platform": "ubuntu-24.04", "license": "MIT", "ci": "gitlab"}),
        ({"framework": "django"}, {"server": "gunicorn", **ALL}),
        ({"framework": "fastapi"}, {"server": "uvicorn", **ALL}),
        ({"framework": "django", **ALL}, {"jobs": "none", "deploy": "none"}),
        pytest.param({"framework": "flask"}, ALL, marks=pytest.mark.slow),
    ],
    ids=["others", "django-all", "fastapi-all", "fewer", "flask-all"],
)
def test_changed_answers_equal_a_new_service(before, change, make, template, tmp_path):
    service = make(**before)

    service.update(data=change)

    assert service.files() == template.copy(tmp_path / "new", data={**before, **change}).files()
    assert service.conflicts() == []


def test_changed_answers_keep_edits(make, capfd):
    service = make()
    service.edit("etc/uwsgi.ini", "harakiri = 60", "harakiri = 30")
    service.edit("pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "anyascii>=0.3.3",\n')
    service.write("src/my_service/models.py", "OURS = 1\n")
    service.commit()

    service.update(data={"server": "gunicorn", "database": "postgresql"})

    assert '"anyascii>=0.3.3"' in service.text("pyproject.toml")
    assert "OURS = 1\n=======\n" in service.text("src/my_service/models.py")
    assert "src/my_service/models.py" in service.conflicts()
    assert "etc/uwsgi.ini is no longer in the template, and was deleted with your changes." in capfd.readouterr().err


# What a team adds in its first week, by file: before a text, or at the end of the file.
EDITS = {
    "flask": {
        "src/my_service/app.py": (
            "    return app\n",
            '    @app.get("/ours")\n    def ours() -> str:\n        return "ours"\n\n',
        ),
        "src/my_service/config.py": ("", "    ours: str = environ.var()\n"),
    },
    "django": {
        "src/my_service/urls.py": ("]\n", '    path("ours", views.index),\n'),
        "src/my_service/settings.py": ("", 'OURS = env.str("OURS")\n'),
        "Dockerfile": ('"\n\n', "  OURS=ours \\\n"),
    },
    "fastapi": {
        "src/my_service/app.py": (
            "    return app\n",
            '    @app.get("/ours")\n    async def ours() -> str:\n        return "ours"\n\n',
        ),
        "src/my_service/config.py": ("", "    ours: str\n"),
    },
}


@pytest.mark.parametrize(
    "framework", ["flask", *(pytest.param(name, marks=pytest.mark.slow) for name in ("django", "fastapi"))]
)
def test_options_are_added_to_an_edited_service(framework, make):
    service = make(framework=framework)
    edits = {
        "Dockerfile": ("USER 10001", "# ours\n"),
        **EDITS[framework],
        "src/my_service/health.py": ("", "# ours\n"),
        "example.env": ("", "OURS=ours\n"),
        "pyproject.toml": ("]\n\n[dependency-groups]", '    "ours>=1",\n'),
        "README.md": ("", "## Ours\n"),
    }
    for file, (mark, text) in edits.items():
        service.edit(file, mark, text + mark)
    service.commit()

    for option, answer in ALL.items():
        service.update(data={option: answer})
        assert service.conflicts() == []
        service.commit()

    for file, (_, text) in edits.items():
        assert text in service.text(file)


def test_framework_and_package_are_refused_before_anything_changes(make):
    service = make()
    before = service.files()

    for answers in ({"framework": "django"}, {"package_name": "orders"}):
        with pytest.raises(ValueError, match="Validation error"):
            service.update(data=answers)

    assert service.files() == before


def test_package_is_renamed_by_hand(make, template):
    """Edits in it are merged at its new place."""
    version = template.release(append("# The template's\n", "stacks/frameworks/flask/src/*/health.py"))
    service = make()
    (service.folder / "src/my_service").rename(service.folder / "src/orders")
    service.edit("src/orders/health.py", '"""', '"""Ours: ')
    service.edit(".copier-answers.yml", "package_name: my_service", "package_name: orders")
    service.commit()

    service.update(version)

    health = service.text("src/orders/health.py")
    assert health.startswith('"""Ours: ')
    assert health.endswith("# The template's\n")
    assert not (service.folder / "src/my_service").exists()


def test_moved_template(make, template, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(template.folder, moved)
    service = make()
    service.edit("README.md", "", "Ours.\n")
    service.edit(".copier-answers.yml", f"_src_path: {template.folder}", f"_src_path: {moved}")
    service.commit()
    append("The template's, moved.\n", "template/AGENTS.md*")(moved)
    commit(moved)
    git(moved, "tag", "v2000.0.0")

    service.update("2000.0.0")

    assert service.text("AGENTS.md").endswith("The template's, moved.\n")
    assert service.text("README.md").endswith("Ours.\n")
    assert f"_src_path: {moved}\n" in service.text(".copier-answers.yml")


def test_answers_file_of_another_name(template, tmp_path):
    version = template.release(lambda folder: next(folder.glob("template/.envrc*")).unlink())
    service = template.copy(tmp_path / "service", answers_file=".template.yml")
    service.edit(".envrc", "", "export OURS=1\n")
    service.commit()

    service.update(version, answers_file=".template.yml")

    assert f"_commit: v{version}" in service.text(".template.yml")
    assert not (service.folder / ".copier-answers.yml").exists()
