def refuse() -> None:
    raise HTTPException(401)


def probe(path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Send a probe to an application that refuses all requests; return the response."""
    app = FastAPI(dependencies=[Depends(refuse)])
    app.add_api_route("/", refuse)
    client = TestClient(Probes(app), base_url="http://10.1.2.3:8000")
    response = client.request(method, path)
    return response.status_code, dict(response.headers), response.content
