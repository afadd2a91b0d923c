"""Pages that tests add to a service: slow, failing, large ones, and one that shows its client."""

from pathlib import Path

FLASK = '''

app = application


@app.get("/slow")
def slow() -> dict[str, bool]:
    """Take a second, after it is logged that the request has arrived."""
    import time

    import structlog

    structlog.get_logger().info("accepted")
    time.sleep(1)
    return {"slow": True}


@app.get("/fail")
def fail() -> None:
    """Fail."""
    raise OSError("broken\\nin two lines")


@app.post("/size")
def size() -> dict[str, int]:
    """Return the size of the body, which is read in parts."""
    from flask import request

    parts = iter(lambda: request.stream.read(65536), b"")
    return {"size": sum(map(len, parts))}


@app.get("/stream")
def stream() -> object:
    """Return 50 MB in parts."""
    from flask import Response

    return Response(bytes(1_000_000) for _ in range(50))


@app.get("/client")
def client() -> dict[str, str | None]:
    """Return who asks for what."""
    from flask import request

    return {"client": request.remote_addr, "scheme": request.scheme, "host": request.host}
'''

DJANGO = '''

from django.urls import path

from .urls import urlpatterns


def slow(request):
    """Take a second, after it is logged that the request has arrived."""
    import time

    import structlog
    from django.http import JsonResponse

    structlog.get_logger().info("accepted")
    time.sleep(1)
    return JsonResponse({"slow": True})


def fail(request):
    """Fail."""
    raise OSError("broken\\nin two lines")


def size(request):
    """Return the size of the body, which is read in parts."""
    from django.http import JsonResponse

    parts = iter(lambda: request.read(65536), b"")
    return JsonResponse({"size": sum(map(len, parts))})


def stream(request):
    """Return 50 MB in parts."""
    from django.http import StreamingHttpResponse

    return StreamingHttpResponse(bytes(1_000_000) for _ in range(50))


def client(request):
    """Return who asks for what."""
    from django.http import JsonResponse

    host, scheme = request.get_host(), request.scheme
    return JsonResponse({"client": request.META["REMOTE_ADDR"], "scheme": scheme, "host": host})


def exempt(view):
    """Let clients without a form use a view."""
    from django.views.decorators.csrf import csrf_exempt

    return csrf_exempt(view)


urlpatterns += [path(view.__name__, exempt(view)) for view in (slow, fail, size, stream, client)]
'''

FASTAPI = '''

def add_pages(app):
    """Add the pages."""
    import asyncio

    import structlog
    from fastapi import Request, WebSocket
    from fastapi.responses import StreamingResponse

    @app.get("/slow")
    async def slow():
        """Take a second, after it is logged that the request has arrived."""
        structlog.get_logger().info("accepted")
        await asyncio.sleep(1)
        return {"slow": True}

    @app.get("/fail")
    async def fail():
        """Fail."""
        raise OSError("broken\\nin two lines")

    @app.post("/size")
    async def size(request: Request):
        """Return the size of the body, which is read in parts."""
        return {"size": sum([len(part) async for part in request.stream()])}

    @app.get("/stream")
    async def stream():
        """Return 50 MB in parts."""
        return StreamingResponse(bytes(1_000_000) for _ in range(50))

    @app.get("/client")
    async def client(request: Request):
        """Return who asks for what."""
        url = request.url
        return {"client": request.client.host, "scheme": url.scheme, "host": url.netloc}

    @app.websocket("/hello")
    async def hello(socket: WebSocket):
        """Say hello."""
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    return app
'''


def add(folder: Path, framework: str) -> None:
    """Add the pages to a service."""
    package = folder / "src/my_service"
    if framework == "fastapi":
        module = package / "asgi.py"
        text = module.read_text(encoding="utf-8")
        text = text.replace("RequestLog(create_app())", "RequestLog(add_pages(create_app()))")
        head, mark, tail = text.partition("\napplication = ")
        module.write_text(f"{head}{FASTAPI}\n{mark}{tail}", encoding="utf-8")
    else:
        module = package / "wsgi.py"
        source = FLASK if framework == "flask" else DJANGO
        module.write_text(module.read_text(encoding="utf-8") + source, encoding="utf-8")
