

def test_checks_may_wait_without_keeping_requests_waiting(checks: Checks) -> None:
    app = FastAPI()
    threads = []
    checks["slow"] = lambda: threads.append(get_ident())

    @app.get("/")
    async def index() -> None:
        threads.append(get_ident())

    with TestClient(Probes(app)) as client:
        client.get("/readyz")
        client.get("/")

    assert len(set(threads)) == 2
