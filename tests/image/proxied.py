"""A TLS proxy in front of a service, and pages that show how the service sees requests."""

import json
import re
import ssl
import subprocess
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

from building import CERTIFICATES, docker

BASE = "debian:trixie-slim"
NGINX = "nginx:for-tests"
DOCKERFILE = f"""\
FROM {BASE}
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \\
    apt-get update && apt-get install --yes --no-install-recommends nginx-light
"""
# As in nginx's documentation; request bodies aren't buffered.
CONFIG = """\
daemon off;
error_log /dev/stderr;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  client_max_body_size 0;
  server {
    listen 8443 ssl;
    ssl_certificate /proxy/certificate.pem;
    ssl_certificate_key /proxy/key.pem;
    location / {
      proxy_pass http://SERVICE:8000;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
"""

# Pages that return their own URL, or the size of the request's body. By framework: the file, the place in it, the code.
PAGES = {
    "flask": (
        "app.py",
        r"\n    return app\n",
        """
            @app.get("/here/")
            def here():
                from flask import request, url_for
                return {"url": url_for("here", _external=True), "client": request.remote_addr}

            @app.post("/upload")
            def upload():
                from flask import request
                return {"size": len(request.files["file"].read())}

            @app.post("/raw")
            def raw():
                from flask import request
                return {"size": len(request.get_data())}

            return app
        """,
    ),
    "django": (
        "urls.py",
        r"\Z",
        """
        from django.http import JsonResponse
        from django.views.decorators.csrf import csrf_exempt

        def here(request):
            return JsonResponse({"url": request.build_absolute_uri(), "client": request.META["REMOTE_ADDR"]})

        @csrf_exempt
        def upload(request):
            return JsonResponse({"size": len(request.FILES["file"].read())})

        @csrf_exempt
        def raw(request):
            return JsonResponse({"size": len(request.body)})

        urlpatterns += [path("here/", here), path("upload", upload), path("raw", raw)]
        """,
    ),
    "fastapi": (
        "app.py",
        r"\n    return app\n",
        """
            from fastapi import Request

            @app.get("/here/")
            async def here(request: Request):
                return {"url": str(request.url_for("here")), "client": request.client.host}

            # No upload: reading a form requires a library that the service doesn't have.
            @app.post("/raw")
            async def raw(request: Request):
                return {"size": len(await request.body())}

            return app
        """,
    ),
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def add_pages(framework: str, package: Path, folder: Path) -> Path:
    """Write a copy of the service's module with the pages added; return its path."""
    name, place, pages = PAGES[framework]
    indent = "    " if name == "app.py" else ""
    added = "\n" + textwrap.indent(textwrap.dedent(pages).strip(), indent) + "\n"
    text, count = re.subn(place, lambda _: added, (package / name).read_text(), count=1)
    assert count
    module = folder / name
    module.write_text(text.replace("from __future__ import annotations\n", ""))
    return module


def address(container: str) -> str:
    """Return a container's address."""
    return json.loads(docker("container", "inspect", container))[0]["NetworkSettings"]["IPAddress"]


@contextmanager
def proxy(folder: Path) -> Iterator[str]:
    """Run a proxy, which waits for its upstream (see `point`); yield its container."""
    secret = ["--secret=id=ca-certificates,src=" + str(CERTIFICATES)] if CERTIFICATES.is_file() else []
    build = ["docker", "buildx", "build", "--load", f"--tag={NGINX}", *secret, "-"]
    subprocess.run(build, input=DOCKERFILE, check=True, text=True, capture_output=True)
    names = ["-subj", "/CN=service.example", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names]
    subprocess.run(command, check=True, capture_output=True)
    start = "until [ -f /proxy/nginx.conf ]; do sleep 0.1; done; exec nginx -c /proxy/nginx.conf"
    container = docker("run", "--detach", f"--volume={folder}:/proxy:ro", NGINX, "sh", "-c", start).strip()
    try:
        yield container
    finally:
        print(docker("logs", container))
        docker("rm", "--force", container)


def point(folder: Path, service: str) -> None:
    """Set the container *service* as the proxy's upstream."""
    (folder / "nginx.tmp").write_text(CONFIG.replace("SERVICE", address(service)))
    (folder / "nginx.tmp").rename(folder / "nginx.conf")


def ask(url: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """Send a request without checking the certificate; return status, headers and text of the response.

    The status is 0 if the connection was closed while the body was sent.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect
    )
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    request = urllib.request.Request(url, data=body, headers={"Host": "service.example", **names})  # type: ignore[arg-type]
    try:
        with opener.open(request, timeout=60) as response:
            return response.status, _titled(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, _titled(error.headers), error.read().decode()
    except urllib.error.URLError as error:
        if body and isinstance(error.reason, BrokenPipeError | ConnectionResetError):
            return 0, {}, ""
        raise


def _titled(headers: Message) -> dict[str, str]:
    return {name.title(): text for name, text in headers.items()}
