

def test_no_client_sets_the_scheme_in_uwsgi() -> None:
    uwsgi: dict[str, Any] = {"uwsgi.version": b"2", "wsgi.url_scheme": "javascript"}

    assert receive("192.0.2.1", **uwsgi)[1] == "http"
    assert receive("192.0.2.1", HTTPS="on", **uwsgi)[1] == "https"
    assert receive(headers={"X-Forwarded-Proto": "https"}, **uwsgi)[1] == "https"
