"""The same service in the template's Dockerfile, and in those that one would write instead."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from machine import has_images

TEMPLATE = Path(__file__).resolve().parent.parent
DOCKERFILES = Path(__file__).resolve().parent / "dockerfiles"
CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
CLIENT = "benchmark-client"
OURS, ARTICLE = "template", "article"

# What starts each server with its own defaults and the template's number of workers. The service logs the requests.
COMMANDS = {
    "uwsgi": "uwsgi --http-socket=:8000 --master --processes={} --disable-logging --module=my_service.wsgi",
    "granian": "granian --interface=asgi --host=0.0.0.0 --port=8000 --workers={} my_service.asgi:application",
    "uvicorn": "uvicorn --host=0.0.0.0 --port=8000 --workers={} --no-access-log my_service.asgi:application",
}
# What else the service needs in others' images, as the template's has it.
SETTINGS = {
    "flask": {"LOG_FORMAT": "json"},
    "django": {"LOG_FORMAT": "json", "DJANGO_SETTINGS_MODULE": "my_service.settings", "STATIC_ROOT": "/app/static"},
    "fastapi": {"LOG_FORMAT": "json"},
}
COLLECT_STATIC = """
RUN SECRET_KEY=placeholder DATABASE_URL=sqlite://:memory: DJANGO_SETTINGS_MODULE=my_service.settings \\
    STATIC_ROOT=/app/static /app/bin/django-admin collectstatic --no-input
"""


@dataclass(frozen=True)
class Stack:
    """A framework and a server, and whose Dockerfiles the service is also built with."""

    framework: str
    server: str
    others: tuple[str, ...] = (ARTICLE,)


DEFAULT = "Flask on uWSGI"
STACKS = {
    DEFAULT: Stack("flask", "uwsgi", (ARTICLE, "uv-example", "docker-init")),
    "Django on uWSGI": Stack("django", "uwsgi"),
    "FastAPI on Granian": Stack("fastapi", "granian"),
    "FastAPI on Uvicorn": Stack("fastapi", "uvicorn"),
}


@dataclass
class Contender:
    """An image of the service: what it is built from, how it is run, and what was measured."""

    name: str
    folder: Path
    images: dict[str, str]
    options: list[str]
    command: list[str] = field(default_factory=list)
    results: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tag = f"benchmark-{self.name}-{uuid.uuid4().hex[:8]}"
        # The module with the view of "/".
        self.module = next(file for name in ("views", "app") for file in self.folder.glob(f"src/*/{name}.py"))
        self.code = self.module.read_text(encoding="utf-8")

    def record(self, measure: str, value: float) -> None:
        """Add a measured value."""
        self.results.setdefault(measure, []).append(round(value, 3))

    def change_code(self) -> None:
        """Change a line of code to something that was never built before."""
        self.module.write_text(f'{self.code}\n\nREVISION = "{uuid.uuid4()}"\n', encoding="utf-8")

    def build(self) -> None:
        """Build the image."""
        build(self.folder, self.tag, *(f"--build-arg={name}={image}" for name, image in self.images.items()))


def docker(*arguments: str) -> str:
    """Run the engine's client and return its output; if it fails, exit with its message."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"docker {' '.join(arguments)}\n{done.stderr[-4000:].strip()}")
    return done.stdout.strip()


def build(folder: Path, tag: str, *options: str) -> None:
    """Build an image from a folder."""
    secret = [f"--secret=id=ca-certificates,src={CERTIFICATES}"] if CERTIFICATES.is_file() else []
    docker("build", "--quiet", *secret, f"--tag={tag}", *options, str(folder))


def build_client(folder: Path, base: str) -> None:
    """Build the image of the client."""
    folder.mkdir()
    build(folder, CLIENT, f"--build-arg=BASE_IMAGE={base}", f"--file={DOCKERFILES / 'client.Dockerfile'}")


def base_images(service: Path) -> dict[str, str]:
    """Return the images that a service's image is built from, by their build arguments, after providing them."""
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    images = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)", dockerfile, re.MULTILINE))
    if not has_images(*images.values()):
        sys.exit(f"there is no {' or '.join(images.values())}")
    return images


def make_service(stack: Stack, folder: Path) -> Path:
    """Render a service from the working tree, uncommitted changes included, and lock it."""
    options = ["--quiet", "--trust", "--defaults", "--vcs-ref=HEAD", "--data=project_name=My Service"]
    options += [f"--data=framework={stack.framework}", f"--data=server={stack.server}", "--data=dockerfile_syntax="]
    copier = [sys.executable, "-W", "ignore", "-m", "copier", "copy", *options, str(TEMPLATE), str(folder)]
    done = subprocess.run(copier, capture_output=True, text=True, check=False)
    if done.returncode or not (folder / "uv.lock").exists():
        sys.exit(f"the service was not made:\n{done.stderr}")
    return folder


def make_contenders(stack: Stack, folder: Path) -> list[Contender]:
    """Make a service for each contender, with the same code and the same lock."""
    service = make_service(stack, folder / OURS)
    choice = TEMPLATE / "stacks" / "frameworks" / stack.framework / "choice.toml"
    workers = tomllib.loads(choice.read_text(encoding="utf-8"))["workers"]
    command = COMMANDS[stack.server].format(workers).split()
    examples = service / "example.env"
    options = [f"--env-file={examples}"] if examples.exists() else []
    settings = [f"--env={name}={value}" for name, value in SETTINGS[stack.framework].items()]
    images = base_images(service)
    contenders = [Contender(OURS, service, images, options)]
    for name in stack.others:
        copy = Path(shutil.copytree(service, folder / name))
        dockerfile = (DOCKERFILES / f"{name}.Dockerfile").read_text(encoding="utf-8")
        if stack.framework == "django":
            build_stage, runtime = dockerfile.rsplit("\nFROM", 1)
            dockerfile = f"{build_stage}{COLLECT_STATIC}\nFROM{runtime}"
        (copy / "Dockerfile").write_text(dockerfile, encoding="utf-8")
        if name == "docker-init":
            prepare_for_pip(copy)
        contenders.append(Contender(name, copy, images, [*options, *settings], command))
    return contenders


def prepare_for_pip(service: Path) -> None:
    """Add what `pip freeze` writes, and the metadata that an installation for development leaves in the sources.

    The image runs the code without installing it, but the application looks up its version.
    """
    export = ["uv", "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes"]
    subprocess.run([*export, "--output-file=requirements.txt"], cwd=service, check=True, stdout=subprocess.DEVNULL)
    with (service / ".dockerignore").open("a", encoding="utf-8") as file:
        file.write("!requirements.txt\n")
    metadata = service / "src/my_service.egg-info/PKG-INFO"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: my-service\nVersion: 0.1.0\n", encoding="utf-8")
