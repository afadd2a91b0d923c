def probe(path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Send a probe to an application that refuses all requests; return the response."""

    def application(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        start_response("401 Unauthorized", [])
        return []

    host = "10.1.2.3:8000"
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_HOST": host}
    setup_testing_defaults(environ)
    start_response = Mock()
    body = b"".join(Probes(application)(environ, start_response))
    status, headers = start_response.call_args.args
    return int(status[:3]), {name.lower(): text for name, text in headers}, body
