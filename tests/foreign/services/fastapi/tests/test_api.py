from orders.settings import settings
from orders.worker import clean


def test_order(client):
    assert client.get("/orders/3").json()["number"] == 3


def test_upload(client):
    headers = {"Authorization": f"Bearer {settings.api_token}"}
    answer = client.post("/files", files={"file": b"1\n2\n"}, headers=headers)
    assert client.get(answer.json()["url"]).json()["size"] == 4
    clean(older_than=-1)
    assert client.get(answer.json()["url"]).status_code == 404


def test_ids_are_short(client):
    assert "orders-order" in client.get("/openapi.json").text
