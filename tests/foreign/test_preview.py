"""tools/preview.py reports what an adoption would do, and changes nothing."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

from adopting import make
from existing import FLASK_IN_A_VARIABLE
from support import TEMPLATE


def fingerprint(folder: Path) -> dict[str, tuple]:
    """Return times, modes and contents of all files in a folder, including Git's own."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def dry_run(folder: Path, template: Path, *options: str, framework: str = "flask") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "uv",
            "run",
            TEMPLATE / "tools/preview.py",
            "adoption",
            *options,
            template,
            folder,
            "--data=package_name=orders",
            f"--data=framework={framework}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_changes_nothing(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)
    # Git would refresh its index for this one.
    (service.folder / "README.md").touch()
    before = fingerprint(tmp_path)

    result = dry_run(service.folder, template, "--json")

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["changed"] == [".gitignore", "Dockerfile", "README.md", "pyproject.toml"]
    assert fingerprint(tmp_path) == before


def test_a_dry_run_reports_untracked_files_that_would_be_overwritten(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)
    (service.folder / ".envrc").write_text("export A=1\n")
    (service.folder / ".gitignore").write_text("/.env*\n")
    service.run("git commit --quiet --all --message Ignore")

    result = dry_run(service.folder, template)

    assert result.returncode == 2
    assert result.stderr == "preview: git doesn't have these files, which would be overwritten: .envrc\n"


def test_a_dry_run_refuses_uncommitted_work(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)
    (service.folder / "orders/web.py").write_text("half an idea")

    result = dry_run(service.folder, template)

    assert (result.returncode, result.stdout) == (2, "")
    assert "has uncommitted changes, which an adoption could overwrite: commit them" in result.stderr


def test_a_dry_run_reports_an_invalid_answer(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)

    result = dry_run(service.folder, template, "--json")
    wrong = subprocess.run(
        [*result.args[:-1], "--data=package_name=class"], capture_output=True, text=True, check=False
    )

    assert wrong.returncode == 2
    assert '"class" is a Python keyword' in wrong.stderr


def test_a_dry_run_warns_of_what_the_service_would_lose(template, user_env, tmp_path):
    files = {
        "src/orders/__init__.py": "",
        "src/orders/app/__init__.py": "",
        "src/orders/health.py": "",
        "shop/__init__.py": "",
        "migrations/env.py": "",
        "tests/conftest.py": "",
        "requirements/base.in": "# uwsgi is not wanted\nfastapi[standard]\ndjango-environ==0.12\nuvicorn-worker\nuwsgi-tools\n",
        "pyproject.toml": '[project]\ndependencies = ["mod_wsgi~=5.0", "Waitress"]\n[tool.gunicorn]\n',
        "docker/Dockerfile": "FROM python\nCMD python -m orders\n",
    }
    service = make(tmp_path / "orders", replace(FLASK_IN_A_VARIABLE, files=files), user_env)

    result = dry_run(service.folder, template, "--json")

    server = "is a web server, and the template brings its own"
    started = "is replaced by the template's way to start a process"
    assert json.loads(result.stdout)["warnings"] == [
        f"Dockerfile, line 4: CMD flask --app orders.web run --host 0.0.0.0 {started}",
        f"docker/Dockerfile, line 2: CMD python -m orders {started}",
        f"pyproject.toml, line 2: mod_wsgi {server}",
        f"pyproject.toml, line 2: Waitress {server}",
        f"requirements/base.in, line 2: fastapi[standard] {server}",
        "requirements/base.in, line 3: django-environ hides environ-config, whose module is called environ, too",
        f"requirements/base.in, line 4: uvicorn-worker {server}",
        "src/orders/health.py: is replaced by another module of that name",
        "tests/conftest.py: is replaced by another module of that name",
        "src/orders/app.py: is never imported, because src/orders/app/ has the same name",
        "migrations/: is not in the image, because it is not below src/",
        "shop/: is not in the image, because it is not below src/",
    ]


def test_a_dry_run_warns_of_a_package_outside_src(template, user_env, tmp_path):
    service = make(tmp_path / "orders", FLASK_IN_A_VARIABLE, user_env)

    warnings = json.loads(dry_run(service.folder, template, "--json").stdout)["warnings"]

    assert "src/orders/__init__.py: your package is not there" in warnings
    assert "orders/: is not in the image, because it is not below src/" in warnings


def test_django_packages_replace_modules_of_the_example(template, user_env, tmp_path):
    files = {
        f"src/orders/{path}": "" for path in ("__init__.py", "settings/__init__.py", "urls/__init__.py", "views.py")
    }
    service = make(tmp_path / "orders", replace(FLASK_IN_A_VARIABLE, files=files), user_env)

    seen = json.loads(dry_run(service.folder, template, "--json", framework="django").stdout)

    assert not {"src/orders/settings.py", "src/orders/urls.py", "src/orders/views.py"} & {
        *seen["added"],
        *seen["changed"],
    }
    assert "src/orders/config.py" in seen["added"]
