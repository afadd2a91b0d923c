    seen: dict[str, Any] = {}

    def application(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        seen.update(environ)
        return []

    environ: dict[str, Any] = {"HTTP_HOST": "service", **more}
    for name, value in (headers or {}).items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    if peer is not None:
        environ["REMOTE_ADDR"] = peer
    setup_testing_defaults(environ)
    ForwardedHeaders(application)(environ, Mock())
    assert not [name for name in seen if "FORWARDED" in name]
    return seen.get("REMOTE_ADDR"), seen["wsgi.url_scheme"], seen["HTTP_HOST"]
