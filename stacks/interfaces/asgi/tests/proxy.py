

def test_repeated_headers_are_joined() -> None:
    lines = {"X-Forwarded-For": "6.6.6.6\n192.0.2.1"}

    assert receive(headers=lines)[0] == "192.0.2.1"


def test_scheme_of_a_websocket_is_wss() -> None:
    headers = {"X-Forwarded-Proto": "https"}

    assert receive(headers=headers, type="websocket", scheme="ws")[1] == "wss"


def test_start_and_stop_are_passed_through() -> None:
    seen = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(ForwardedHeaders(application)(scope, Any, Any))  # type: ignore[arg-type]

    assert seen == [scope]
