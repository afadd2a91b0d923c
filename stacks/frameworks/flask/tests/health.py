def test_blueprint_of_earlier_services_answers_probes(checks: Checks) -> None:
    app = Flask(__name__)
    app.register_blueprint(health.blueprint)
    client = app.test_client()
    checks["database"] = broken

    assert client.get("/livez").json == {"status": "ok"}
    assert client.get("/readyz").status_code == 503
    assert client.post("/livez").status_code == 405
