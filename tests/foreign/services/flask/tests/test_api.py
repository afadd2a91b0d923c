import io

from orders.worker import work


def test_order(client):
    assert client.get("/orders/3").get_json()["number"] == 3


def test_upload(app, client):
    answer = client.post("/files", data={"file": (io.BytesIO(b"1\n2\n"), "a.txt")})
    work(app)
    assert client.get(answer.get_json()["url"]).get_json() == {"id": 1, "size": 4, "lines": 2}
