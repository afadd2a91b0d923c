"""An update makes an unedited service equal to a new one."""

import pytest
from history import FEW_KINDS, KINDS, Kind
from offered import marked
from updating import PRESENT, owners


@pytest.fixture(params=marked(KINDS, FEW_KINDS), ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


def test_untouched_service_becomes_a_fresh_copy(kind: Kind, make, original):
    service = make(kind.release, **kind.answers)
    before = service.files()
    fresh = original(PRESENT, **kind.answers_now)

    service.update()

    assert service.conflicts() == []
    # A new service has no tests of its own for health.py, unless that checks something.
    yours = {file for file, owner in owners(fresh).items() if owner == "yours"} | {"tests/test_health.py"}
    others = {file: content for file, content in fresh.files().items() if file not in yours}
    # Updates neither change nor add the team's files.
    assert service.files() == others | {file: before[file] for file in yours & before.keys()}
