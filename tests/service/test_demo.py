"""`make demo` works on a fresh machine."""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_demo_without_uv_on_the_path(template_clone, tmp_path):
    env = {name: text for name, text in os.environ.items() if not name.startswith(("UV", "PYTEST"))}
    bin_of_tests = str(Path(sys.executable).parent)
    env["PATH"] = ":".join(
        folder for folder in env["PATH"].split(":") if folder != bin_of_tests and not Path(folder, "uv").exists()
    )
    # The demo installs uv and an environment in the clone, and other tests need a clean one.
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", template_clone, clone], check=True)
    folder = tmp_path / "demo"

    demo = subprocess.run(
        ["make", "demo", f"DIR={folder}"], cwd=clone, env=env, capture_output=True, text=True, check=False
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "fetching uv" in demo.stderr
    assert re.search(r'200 \{"name":"my-service"', demo.stdout)
    assert '200 {"status":"ok"}' in demo.stdout
    assert "it ended with exit status 0" in demo.stdout
    assert f"the service lies in {folder}" in demo.stdout

    again = subprocess.run(
        ["make", "demo", f"DIR={folder}"], cwd=clone, env=env, capture_output=True, text=True, check=False
    )
    assert again.returncode != 0
    assert f"{folder} is not empty" in again.stderr
