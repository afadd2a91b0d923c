"""The manifests for Kubernetes, checked by a tool that comes from the package index. The other checks: tests/render/."""

import re
import subprocess

CHECKOV = "checkov==3.3.30"
EXTRAS = [{}, {"database": "postgresql"}, {"database": "postgresql", "jobs": "procrastinate"}]


def test_manifests_keep_to_checkovs_rules(render, tmp_path):
    """Its rules for Kubernetes; each exception has its reason in the manifest."""
    for number, extras in enumerate(EXTRAS):
        service = render(deploy="kubernetes", **extras)
        for environment in ["production", "staging"]:
            overlay = service / "deploy/kubernetes/overlays" / environment
            manifests = subprocess.run(["kubectl", "kustomize", overlay], check=True, stdout=subprocess.PIPE).stdout
            (tmp_path / f"{number}-{environment}.yaml").write_bytes(manifests)
    command = ["uvx", CHECKOV, "--framework=kubernetes", "--skip-download", "--compact", f"--directory={tmp_path}"]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    counts = re.search(r"Passed checks: (\d+), Failed checks: (\d+), Skipped checks: (\d+)", result.stdout)
    assert counts, result.stdout
    assert int(counts[1]) > 500, result.stdout
    assert result.returncode == int(counts[2]) == 0, result.stdout[-5000:]
