import os

os.environ.setdefault("API_TOKEN", "for-tests")

import pytest
from fastapi.testclient import TestClient

from orders.main import app


@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client
