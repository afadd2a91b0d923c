"""An update makes an unedited service equal to a new one."""

import pytest
from history import KINDS, Kind
from updating import PRESENT, owners


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


def test_untouched_service_becomes_a_fresh_copy(kind: Kind, make, original):
    service = make(kind.release, **kind.answers)
    before = service.files()
    fresh = original(PRESENT, **kind.answers)

    service.update()

    assert service.conflicts() == []
    yours = {file for file, owner in owners(fresh).items() if owner == "yours"}
    others = {file: content for file, content in fresh.files().items() if file not in yours}
    # Updates neither change nor add the team's files.
    assert service.files() == others | {file: before[file] for file in yours & before.keys()}
