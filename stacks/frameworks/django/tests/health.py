@pytest.mark.django_db
def test_ready_with_a_database(checks: Checks) -> None:
    checks["database"] = health.use_database

    status, _, body = probe("/readyz")

    assert status == 200
    assert json.loads(body) == {"status": "ok", "checks": {"database": "ok"}}


def test_middleware_of_earlier_services_answers_probes(checks: Checks) -> None:
    def refuse(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=401)

    middleware = health.HealthMiddleware(refuse)
    checks["database"] = broken

    statuses = {
        path: middleware(RequestFactory().get(path)).status_code
        for path in ("/", "/livez", "/readyz")
    }

    assert statuses == {"/": 401, "/livez": 200, "/readyz": 503}
