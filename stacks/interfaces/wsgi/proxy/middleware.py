class ForwardedHeaders:
    """WSGI middleware that applies these headers, or removes them.

    Only this middleware reads them: the servers' own implementations differ.
    """

    def __init__(self, application: WSGIApplication) -> None:
        """Wrap *application*."""
        self.application = application
        self.proxies = trusted_proxies()

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Call the application with the request that the client made."""
        peer = environ.get("REMOTE_ADDR")
{% include stack.server.folder ~ "/proxy/scheme.py" ignore missing %}
        if self.proxies.connect(peer):
            self._apply(environ, peer)
        for name in [*environ]:
            if name.startswith(("HTTP_X_FORWARDED_", "HTTP_FORWARDED")):
                del environ[name]
        return self.application(environ, start_response)

    def _apply(self, environ: dict[str, Any], peer: str | None) -> None:
        if forwarded_for := environ.get("HTTP_X_FORWARDED_FOR"):
            environ["REMOTE_ADDR"] = self.proxies.client(peer, forwarded_for) or ""
        if scheme := forwarded_scheme(environ.get("HTTP_X_FORWARDED_PROTO", "")):
            environ["wsgi.url_scheme"] = scheme
        if host := forwarded_host(environ.get("HTTP_X_FORWARDED_HOST", "")):
            environ["HTTP_HOST"] = host
