"""A service that nobody edited becomes what a fresh copy is."""

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
    expected = fresh.files() | {file: before[file] for file, owner in owners(fresh).items() if owner == "yours"}
    assert service.files() == expected
