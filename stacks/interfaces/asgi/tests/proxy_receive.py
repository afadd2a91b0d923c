    seen: dict[str, Any] = {}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope)

    pairs = [
        (name.lower().encode(), line.encode())
        for name, value in (headers or {}).items()
        for line in value.split("\n")
    ]
    scope: dict[str, Any] = {
        "type": "http",
        "scheme": "http",
        "headers": [(b"host", b"service"), *pairs],
        "client": peer and (peer, 50000),
        **more,
    }
    asyncio.run(ForwardedHeaders(application)(scope, Any, Any))  # type: ignore[arg-type]
    names = [name for name, _ in seen["headers"]]
    assert not [name for name in names if b"forwarded" in name]
    assert names.count(b"host") == 1
    host = dict(seen["headers"])[b"host"].decode()
    return (seen["client"] or (None,))[0], seen["scheme"], host
