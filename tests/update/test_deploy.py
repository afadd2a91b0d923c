"""A service of an earlier release gets manifests for Kubernetes by an update."""

import subprocess

import pytest
from offered import marked
from updating import PRESENT, owners

ADDED = "--data=deploy=kubernetes"
# The last release that doesn't ask for it.
BEFORE = "0.7.0"
EVERYTHING = {"framework": "fastapi", "database": "postgresql", "jobs": "procrastinate"}
OVERLAY = "deploy/kubernetes/overlays/production/kustomization.yaml"


@pytest.mark.parametrize(
    "answers", [{}, {"framework": "django"}, EVERYTHING], ids=lambda answers: "-".join(answers) or "default"
)
@pytest.mark.parametrize("release", marked([BEFORE, PRESENT], [BEFORE]))
def test_manifests_are_added(release, answers, make, original):
    service = make(release, **answers)
    before = service.files()

    service.update(ADDED)

    assert service.conflicts() == []
    fresh = original(PRESENT, deploy="kubernetes", **answers).files()
    after = service.files()
    yours = {name for name, owner in owners(original(PRESENT, **answers)).items() if owner == "yours"}
    assert {name: after[name] for name in yours if name in before} == {name: before[name] for name in yours & {*before}}
    assert {name: fresh[name] for name in after.keys() - yours} == {name: after[name] for name in after.keys() - yours}
    assert after.keys() == fresh.keys()
    subprocess.run(["kubectl", "kustomize", (service.folder / OVERLAY).parent], check=True, capture_output=True)


def test_update_leaves_overlays_alone(make):
    service = make(BEFORE)
    service.update(ADDED)
    edited = service.text(OVERLAY).replace("my-service.example.com", "shop.example.com")
    (service.folder / OVERLAY).write_text(edited, encoding="utf-8")
    (service.folder / "deploy/kubernetes/overlays/staging/kustomization.yaml").unlink()
    service.commit()

    service.update("--data=server=gunicorn")

    assert service.conflicts() == []
    assert service.text(OVERLAY) == edited
    assert "deploy/kubernetes/overlays/staging/kustomization.yaml" not in service.files()
    assert "/tmp/draining" in service.text("deploy/kubernetes/base/web.yaml")
