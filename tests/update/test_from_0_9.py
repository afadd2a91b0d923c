"""Services of 0.9.0, untouched and edited, come to the present state by one `copier update`."""

import pytest
from updating import ALL, Service

OLD = "0.9.0"
KINDS = {
    "flask": {"framework": "flask"},
    "django": {"framework": "django"},
    "fastapi": {"framework": "fastapi"},
    "django-all": {"framework": "django", **ALL},
    "fastapi-all": {"framework": "fastapi", **ALL},
}
# Each of the other servers and of the other answers.
SLOW = {
    "flask-all": {"framework": "flask", **ALL},
    "gunicorn": {"framework": "django", "server": "gunicorn", "ci": "gitlab", "platform": "python-3.14"},
    "granian": {"framework": "flask", "server": "granian", "license": "MIT", "database": "postgresql"},
    "uvicorn": {"framework": "fastapi", "server": "uvicorn", "settings_library": "environ-config"},
}


@pytest.mark.parametrize(
    "answers",
    [
        *(pytest.param(answers, id=name) for name, answers in KINDS.items()),
        *(pytest.param(answers, id=name, marks=pytest.mark.slow) for name, answers in SLOW.items()),
    ],
)
def test_untouched_service_equals_a_new_one(answers, make, template, tmp_path):
    service = make(OLD, **answers)

    service.update()

    answers = {name: answer for name, answer in answers.items() if name != "settings_library"}
    assert service.files() == template.copy(tmp_path / "new", data=answers).files()
    assert service.conflicts() == []


# What a team does in its first months: file, text before, text after. The text before is a file's end if it is empty.
Edit = tuple[str, str, str]
EVERYWHERE: list[Edit] = [
    ("pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "anyascii>=0.3.3",\n'),
    ("pyproject.toml", 'version = "0.1.0"', 'version = "1.4.2"'),
    ("pyproject.toml", "", "\n[tool.ours]\nkey = 42\n"),
    ("Dockerfile", "    python3.13\ngroupadd", "    python3.13 libpq5\ngroupadd"),
    (
        ".github/workflows/test.yml",
        "      - name: Lint\n",
        "      - name: Ours\n        run: true\n      - name: Lint\n",
    ),
    (".gitignore", "", "/ours/\n"),
    # Files that 1.0 doesn't have.
    ("src/my_service/proxy.py", "", "\nOURS = 1\n"),
    ("docs/production.md", "", "\nOurs.\n"),
]
EDITS: dict[str, list[Edit]] = {
    "flask": [
        ("etc/uwsgi.ini", "harakiri = 60", "harakiri = 30"),
        (
            "src/my_service/app.py",
            "    return app\n",
            '    @app.get("/ours")\n    def ours() -> str:\n        return ""\n\n    return app\n',
        ),
        ("src/my_service/config.py", "", '    ours: str = environ.var("")\n'),
    ],
    "django": [
        ("etc/uwsgi.ini", "harakiri = 60", "harakiri = 30"),
        (
            "src/my_service/urls.py",
            'path("", views.index),\n',
            'path("", views.index),\n    path("ours", views.ours),\n',
        ),
        (
            "src/my_service/views.py",
            "",
            "\n\ndef ours(request: HttpRequest) -> JsonResponse:\n    return JsonResponse({})\n",
        ),
        ("src/my_service/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Berlin"'),
        ("src/my_service/config.py", "", '    ours: str = environ.var("")\n'),
    ],
    "fastapi": [
        ("etc/granian.env", "GRANIAN_HTTP1_BUFFER_SIZE=65536", "GRANIAN_HTTP1_BUFFER_SIZE=131072"),
        (
            "src/my_service/app.py",
            "@asynccontextmanager\n",
            '@router.get("/ours")\nasync def ours() -> str:\n    return ""\n\n\n@asynccontextmanager\n',
        ),
        ("src/my_service/config.py", "", '    ours: str = ""\n'),
    ],
}
DELETED = {"flask": "tests/test_app.py", "django": "tests/test_views.py", "fastapi": "tests/test_app.py"}


def edit(service: Service, framework: str) -> list[Edit]:
    """Make the edits; return them."""
    edits = EVERYWHERE + EDITS[framework]
    for file, before, after in edits:
        service.edit(file, before, after)
    service.write("README.md", "# Ours\n\nRewritten.\n")
    service.write("src/my_service/ours.py", "OURS = 1\n")
    service.write("tests/container/test_ours.py", "def test_ours() -> None:\n    pass\n")
    (service.folder / DELETED[framework]).unlink()
    service.commit()
    return edits


@pytest.mark.parametrize("framework", EDITS)
def test_edited_service_keeps_each_edit(framework, make, template, tmp_path, capfd):
    answers = {"framework": framework, "ci": "github"}
    service = make(OLD, **answers)
    edits = edit(service, framework)

    service.update()

    new = template.copy(tmp_path / "new", data=answers)
    messages = capfd.readouterr().err
    conflicts, files = service.conflicts(), service.files()
    for file, _, after in edits:
        if file not in new.files():
            assert file not in files
        elif file in conflicts:
            assert all(line in service.text(file) for line in after.splitlines()), file
            assert f"{file} is in conflict." in messages
        else:
            # Nothing but the edits differs from the template's new version.
            text = service.text(file)
            for _, one, other in [one for one in edits if one[0] == file]:
                assert text.count(other) == 1, (file, other)
                text = text.replace(other, one)
            assert text == new.text(file)
    assert {file for file in files if b"<<<<<<< before updating\n" in files[file][1]} == set(conflicts)
    # Files that only one side has.
    assert service.text("src/my_service/ours.py") == "OURS = 1\n"
    assert "tests/container/test_ours.py" in files
    assert DELETED[framework] not in files
    # All others are the template's.
    edited = {"README.md", "src/my_service/ours.py", "tests/container/test_ours.py", *(file for file, _, _ in edits)}
    unedited = {file: content for file, content in files.items() if file not in edited}
    assert unedited == {file: new.files()[file] for file in new.files().keys() - edited - {DELETED[framework]}}
    named = {line.split(" ")[0] for line in messages.splitlines() if "no longer in the template" in line}
    assert named == edited - new.files().keys() - {"src/my_service/ours.py", "tests/container/test_ours.py"}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["top", "middle", "end"])
@pytest.mark.parametrize("framework", EDITS)
def test_edit_of_any_file_survives(framework, place, make, capfd):
    service = make(OLD, framework=framework, **ALL)
    edited = {}
    for number, file in enumerate(sorted(service.files().keys() - {".copier-answers.yml"})):
        lines = service.text(file).splitlines(keepends=True)
        edited[file] = f"# ours {number}\n"
        lines.insert({"top": 0, "middle": len(lines) // 2, "end": len(lines)}[place], edited[file])
        service.write(file, "".join(lines))
    service.commit()

    service.update()

    messages = capfd.readouterr().err
    for file, line in edited.items():
        if (service.folder / file).exists():
            assert line in service.text(file), file
            assert (file in service.conflicts()) == ("<<<<<<< before updating" in service.text(file)), file
        else:
            assert f"{file} is no longer in the template, and was deleted with your changes." in messages
