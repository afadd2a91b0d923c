"""This repository's own workflow is valid and secure."""

from support import TEMPLATE
from test_workflows import check, check_schema, pipelines


def test_own_workflow_fits_the_published_schema():
    result = check_schema("github", *pipelines(TEMPLATE))
    assert result.returncode == 0, result.stdout


def test_own_workflow_is_secure():
    # Without the persona auditor, which requires a digest: Debian's image needs to match the packages of its mirror.
    result = check("zizmor", "--offline", "--no-config", "--no-progress", TEMPLATE / ".github")
    assert result.returncode == 0, result.stdout
    assert "No findings" in result.stdout
    assert "ignored" not in result.stdout
