# The shape of https://hynek.me/articles/docker-uv/: two stages, the dependencies before the application, and the whole
# virtual environment copied with its owner. Without the compilers and libraries for uWSGI from source: the service's lock
# has its wheel, for all contenders. Their command, which is the same, is in contenders.py.
ARG BASE_IMAGE=debian:trixie-slim
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.9

FROM ${UV_IMAGE} AS uv

FROM ${BASE_IMAGE} AS build
SHELL ["sh", "-exc"]
RUN <<EOT
apt-get update -qy
apt-get install -qyy -o APT::Install-Recommends=false -o APT::Install-Suggests=false \
    ca-certificates \
    python3.13
EOT
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_PYTHON=python3.13 \
    UV_PROJECT_ENVIRONMENT=/app \
    UV_SYSTEM_CERTS=1
RUN --mount=type=cache,id=article,target=/root/.cache \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --locked --no-dev --no-install-project
COPY . /src
WORKDIR /src
RUN --mount=type=cache,id=article,target=/root/.cache \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --locked --no-dev --no-editable

FROM ${BASE_IMAGE}
SHELL ["sh", "-exc"]
ENV PATH=/app/bin:$PATH
RUN <<EOT
groupadd -r app
useradd -r -d /app -g app -N app
EOT
STOPSIGNAL SIGINT
RUN <<EOT
apt-get update -qy
apt-get install -qyy -o APT::Install-Recommends=false -o APT::Install-Suggests=false \
    python3.13
apt-get clean
rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*
EOT
COPY --from=build --chown=app:app /app /app
USER app
WORKDIR /app
RUN <<EOT
python -V
python -Im site
python -Ic 'import my_service'
EOT
