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


def first_tag(route: APIRoute) -> str:
    return str(route.tags[0])


def test_router_of_earlier_services_depends_on_nothing(checks: Checks) -> None:
    app = FastAPI(dependencies=[Depends(refuse)], generate_unique_id_function=first_tag)
    app.include_router(health.router)
    app.add_api_route("/", refuse, tags=["here"])
    client = TestClient(app)
    checks["database"] = broken

    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 503
    assert client.post("/livez").status_code == 405
    assert [*client.get("/openapi.json").json()["paths"]] == ["/"]
