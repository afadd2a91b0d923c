class ForwardedHeaders:
    """ASGI middleware that applies these headers, or removes them.

    Only this middleware reads them: the servers' own implementations differ.
    """

    def __init__(self, application: ASGIApp) -> None:
        """Wrap *application*."""
        self.application = application
        self.proxies = trusted_proxies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the request that the client made."""
        if scope["type"] != "lifespan":
            scope = self._apply(scope)
        await self.application(scope, receive, send)

    def _apply(self, scope: Scope) -> Scope:
        forwarded: dict[bytes, list[bytes]] = {}
        headers = []
        for name, value in scope["headers"]:
            if name == b"forwarded" or name.startswith(b"x-forwarded-"):
                forwarded.setdefault(name, []).append(value)
            else:
                headers.append((name, value))
        scope = {**scope, "headers": headers}
        peer = (scope.get("client") or (None,))[0]
        if not self.proxies.connect(peer):
            return scope

        def value_of(name: bytes) -> str:
            return b",".join(forwarded.get(name, ())).decode("latin-1")

        if forwarded_for := value_of(b"x-forwarded-for"):
            client = self.proxies.client(peer, forwarded_for)
            if client != peer:
                scope["client"] = (client, 0)
        if scheme := forwarded_scheme(value_of(b"x-forwarded-proto")):
            if scope["type"] == "websocket":
                scheme = scheme.replace("http", "ws")
            scope["scheme"] = scheme
        if host := forwarded_host(value_of(b"x-forwarded-host")):
            others = [pair for pair in headers if pair[0] != b"host"]
            scope["headers"] = [(b"host", host.encode()), *others]
        return scope
