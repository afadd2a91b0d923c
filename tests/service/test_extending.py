"""A server is added as docs/extending.md says: one row of data, one file."""

import json
import re
import shutil
import subprocess
import sys
import urllib.request

from demo import free_port, wait_until_ready
from support import TEMPLATE, Service, edit

DOCUMENT = (TEMPLATE / "docs/extending.md").read_text(encoding="utf-8")
ROW, CONFIGURATION = re.findall(r"^```python\n([^\n]*\n.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)[1:]
(FILE,) = re.findall(r"`(template/etc/.*?)`", DOCUMENT)
CHECKS = ("uv run pytest --cov", "uv run ruff check", "uv run ruff format --check", "uv run mypy")


def test_the_documented_server_takes_one_row_and_one_file(template_clone, user_env, tmp_path):
    template = tmp_path / "template"
    shutil.copytree(template_clone, template)
    edit(template / "extensions/platforms.py", (r"(?<=\n)\}\n(?=\n\ndef platform_choices)", lambda _: f"{ROW}}}\n"))
    (template / FILE).write_text(CONFIGURATION, encoding="utf-8")
    for check in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *check, "extensions/platforms.py"], cwd=template, check=True)
    subprocess.run(["git", "-C", template, "add", "--all"], check=True)
    subprocess.run(["git", "-C", template, "commit", "--quiet", "--message=Offer Hypercorn"], check=True)

    folder = tmp_path / "service"
    options = ["--trust", "--defaults", "--quiet", "--data=framework=fastapi", "--data=server=hypercorn"]
    copy = [sys.executable, "-m", "copier", "copy", *options, "--vcs-ref=HEAD", template, folder]
    subprocess.run(copy, env=user_env, check=True)
    service = Service(folder, user_env)

    for command in ("uv sync --locked", *CHECKS):
        service.run(command)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (uv run hypercorn .*)$", readme, re.MULTILINE)
    port = free_port()
    with subprocess.Popen(command.split(), cwd=folder, env={**user_env, "PORT": str(port)}) as server:
        try:
            wait_until_ready(f"http://localhost:{port}/readyz", server)
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=10) as answer:
                assert json.load(answer)["name"] == "my-service"
        finally:
            server.terminate()
