"""A renamed package keeps its edits, and gets the template's changes."""

import os
import pty
import shlex
import subprocess
import termios
from contextlib import suppress

import pytest
import yaml
from support import edit, git
from updating import Template, TrackedService

NEWER = "1001.0.0"


def rename(service: TrackedService, *, answers: bool) -> None:
    """Rename the package by hand, optionally in the answers, too."""
    git(service.folder, "mv", "src/my_service", "src/orders")
    for file in service.files():
        if b"my_service" in (service.folder / file).read_bytes() and (answers or file != ".copier-answers.yml"):
            edit(service.folder / file, ("my_service", "orders"))


def by_hand(service: TrackedService) -> list[str]:
    rename(service, answers=False)
    return []


def by_hand_and_in_the_answers(service: TrackedService) -> list[str]:
    rename(service, answers=True)
    return []


def by_hand_and_in_the_command(service: TrackedService) -> list[str]:
    rename(service, answers=False)
    return ["--data=package_name=orders"]


def by_the_update(service: TrackedService) -> list[str]:
    return ["--data=package_name=orders"]


@pytest.fixture(params=[by_hand, by_hand_and_in_the_answers, by_hand_and_in_the_command, by_the_update])
def way(request: pytest.FixtureRequest):
    return request.param


def edit_first(service: TrackedService) -> None:
    """Edit files of each kind before the package is renamed."""
    edit(service.folder / "src/my_service/wsgi.py", (r"\Z", "\n\nOURS = 1\n"))
    edit(service.folder / "src/my_service/app.py", (r"\Z", "\n\nOURS = 1\n"))
    edit(service.folder / "tests/test_app.py", (r"(?<=import version\n)", "import my_service.greetings\n"))
    (service.folder / "src/my_service/greetings.py").write_text("from my_service.wsgi import OURS\n")
    (service.folder / "src/my_service/logs.py").unlink()
    service.commit()


def change_template(template: Template) -> None:
    edit(template.source("src/my_service/wsgi.py"), (r'\A"""[^\n]*\n', '"""Said by a newer release."""\n'))
    edit(template.source("src/my_service/logs.py"), (r"\Z", "\n\nTHEIRS = 1\n"))
    (template.folder / "template/src/{{ package_name }}/added.py").write_text('"""New."""\n')
    template.release(NEWER)


def test_a_renamed_package_is_merged(way, make, newer):
    service = make(template=newer)
    change_template(newer)
    edit_first(service)
    options = way(service)
    service.commit()

    service.update(*options, version=NEWER)

    assert service.conflicts() == []
    assert yaml.safe_load(service.text(".copier-answers.yml"))["package_name"] == "orders"
    assert not (service.folder / "src/my_service").exists()
    package = service.folder / "src/orders"
    assert sorted(path.name for path in package.iterdir()) == [
        "__init__.py", "access.py", "added.py", "app.py", "bodies.py", "config.py", "greetings.py", "health.py",
        "hosts.py", "logs.py", "probes.py", "proxy.py", "wsgi.py",
    ]  # fmt: skip
    wsgi = (package / "wsgi.py").read_text()
    assert wsgi.startswith('"""Said by a newer release."""\n')
    assert "\nOURS = 1\n" in wsgi
    assert "\nOURS = 1\n" in (package / "app.py").read_text()
    assert (package / "greetings.py").read_text() == "from orders.wsgi import OURS\n"
    assert "import orders.greetings\n" in service.text("tests/test_app.py")
    assert git(service.folder, "grep", "--files-with-matches", "orders", "--", "*.toml", "*.ini", "Dockerfile")
    assert [file for file in service.files() if "my_service" in service.text(file)] == []


@pytest.mark.parametrize("way", [by_hand, by_the_update])
def test_a_conflict_in_a_renamed_package_is_reported(way, make, newer):
    service = make(template=newer)
    change_template(newer)
    edit(service.folder / "src/my_service/wsgi.py", (r'\A"""[^\n]*\n', '"""Said by us."""\n'))
    service.commit()
    options = way(service)
    service.commit()

    service.update(*options, version=NEWER)

    assert service.conflicts() == ["src/orders/wsgi.py"]
    assert '=======\n"""Said by a newer release."""\n>>>>>>>' in service.text("src/orders/wsgi.py")


@pytest.mark.parametrize(
    ("name", "ignored", "message"),
    [
        ("orders", "", "src/my_service can't be moved to src/orders, which exists"),
        ("orders", "src/orders/\n", "src/my_service can't be moved to src/orders: an untracked src/orders exists"),
        ("class", "", '"class" is a Python keyword'),
        ("../orders", "", '"../orders" doesn\'t begin with a letter'),
    ],
)
def test_an_unusable_name_leaves_the_service_unchanged(name: str, ignored: str, message: str, make):
    service = make()
    (service.folder / ".git/info/exclude").write_text(ignored)
    (service.folder / "src/orders").mkdir()
    (service.folder / "src/orders/ours.py").write_text("")
    service.commit()
    before = service.files()

    update = service.attempt(service.update_command(f"--data=package_name={name}"))

    assert update.returncode != 0
    assert message in update.stderr
    assert service.files() == before


def test_a_new_name_typed_during_the_update_is_refused_with_a_hint(make):
    """At that time the folder can't be moved any more, so edits in it would be lost."""
    service = make()
    edit(service.folder / "src/my_service/wsgi.py", (r"\Z", "# Ours\n"))
    service.commit()
    before = service.files()

    seen = type_into(service, service.update_command("--ask=package_name"), b"\x15orders\r")

    assert "rename by --data package_name=NEW" in seen
    assert service.files() == before


def type_into(service: TrackedService, command: str, keys: bytes) -> str:
    """Run a command in a new terminal, type *keys* at the prompt, and interrupt it at the error; return its output."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    env = {**service.env, "TERM": "xterm"}
    with subprocess.Popen(shlex.split(command), cwd=service.folder, env=env, stdin=end, stdout=end, stderr=end):
        os.close(end)
        seen = ""
        # Reading fails when the process has ended, and its terminal with it.
        with suppress(OSError):
            while chunk := os.read(terminal, 65536).decode(errors="replace"):
                seen += chunk
                if "\x1b[6n" in chunk:  # It requests the cursor's position.
                    os.write(terminal, b"\x1b[1;1R")
                if keys and "Import package name" in seen:
                    os.write(terminal, keys)
                    keys = b""
                if "Validation error" in chunk:
                    os.write(terminal, b"\x03")
        os.close(terminal)
    return seen
