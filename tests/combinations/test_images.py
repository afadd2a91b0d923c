"""Every framework on every server and platform: built, tested, stopped under load."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import platforms
import pytest
from archives import use
from building import Image, build, prove
from load import NOTE, finish, stop_under_load
from offered import PAIRS, install
from support import Service, engine

# What every change is tested with: the others share their Python or their packages with one of these.
BUILT = [
    *((platform, *pair) for platform in ("debian-13", "debian-12") for pair in PAIRS),
    ("ubuntu-26.04", "flask", "uwsgi"),
    ("python-3.14", "flask", "gunicorn"),
]
OTHERS = [(platform, *pair) for platform in platforms.PLATFORMS for pair in PAIRS if (platform, *pair) not in BUILT]
# It has tests of its own.
DEFAULT = ("debian-13", "flask", "uwsgi")
# What a Django service can't start without.
NEEDED = {"django": ["--env=SECRET_KEY=" + 10 * "secret", "--env=DATABASE_URL=sqlite://:memory:"]}

# Around the application, whatever it is made of: it notes what it took on, and one page takes its time.
SLOW = {
    "wsgi": """

inner = application


def application(environ, start_response):  # type: ignore
    import time

    note(environ.get("HTTP_X_REQUEST_ID"))
    if environ["PATH_INFO"] != "/slow":
        return inner(environ, start_response)
    time.sleep(2)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"slow"]
""",
    "asgi": """

inner = application


async def application(scope, receive, send):  # type: ignore
    import asyncio

    if scope["type"] == "http":
        note(dict(scope["headers"]).get(b"x-request-id", b"").decode())
    if scope.get("path") != "/slow":
        return await inner(scope, receive, send)
    await asyncio.sleep(2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"slow"})
""",
}


@dataclass
class Combination:
    """A service of some combination, and its image."""

    service: Service
    image: Image
    needed: list[str]
    started: str
    """What each worker logs when it serves, where a stop before that is missed."""
    threads: int
    """As many as there are clients, so that none waits in a queue; few where a stop that comes while one is made is missed,
    so that by then all are made."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test with what every change is tested with, or with every combination."""
    built = [*BUILT, *OTHERS] if metafunc.config.getoption("every_combination") else BUILT
    combinations = [combination for combination in built if combination != DEFAULT]
    metafunc.parametrize("combination", combinations, ids="-".join, indirect=True, scope="module")


def scaffold_with_bases(scaffold: Callable[..., Service], **answers: str) -> Service:
    """Make a service, and have its base images."""
    service = scaffold(dockerfile_syntax="", **answers)
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)", (service.folder / "Dockerfile").read_text(), re.MULTILINE)
    engine("stand-ins", *images)
    return service


@pytest.fixture(scope="module")
def combination(request, scaffold, use_engine) -> Combination:
    """Build a combination's image."""
    platform, framework, server = request.param
    if platform.startswith("ubuntu-"):
        use("stand-ins", platforms.PLATFORMS[platform].base_image)
    service = scaffold_with_bases(scaffold, platform=platform, framework=framework, server=server)
    image = build(service.folder, f"my-service:{'-'.join(request.param)}")
    granian = server == "granian"
    return Combination(
        install(service, platform, server),
        image,
        NEEDED.get(framework, []),
        "Started worker-" if granian else "",
        4 if granian else 25,
    )


def test_service_proves_the_promises_of_its_image(combination):
    prove(combination.service, combination.image)


def test_stop_under_load_loses_no_request(combination, tmp_path):
    package = combination.image.run("python", "-c", "import my_service; print(*my_service.__path__)").strip()
    (module,) = combination.service.folder.glob("src/my_service/?sgi.py")
    busy = tmp_path / module.name
    busy.write_text(module.read_text() + NOTE + SLOW[module.stem])
    (tmp_path / "nothing").mkdir()
    options = (
        "--env=WEB_CONCURRENCY=2",
        f"--env=WEB_THREADS={combination.threads}",
        *combination.needed,
        f"--volume={busy}:{package}/{busy.name}:ro",
        # Byte code of the module that is in the image isn't compared with what is there now.
        f"--volume={tmp_path}/nothing:{package}/__pycache__:ro",
    )
    signals = 2 * ["SIGTERM", "SIGINT"]

    async def stop_all():
        stops = [stop_under_load(combination.image.name, signal, options, combination.started) for signal in signals]
        return await asyncio.gather(*stops)

    results = finish(stop_all())

    assert {status for status, _, _ in results} == {0}
    assert [lost for _, _, lost in results if lost] == []
    assert sum(len(outcomes.answered) for _, outcomes, _ in results) > 5 * len(signals), "there was hardly any load"
