# The shape of https://hynek.me/articles/docker-uv/: two stages, the dependencies before the application, and the whole
# virtual environment copied with its owner. uWSGI runs with two plain, preforked processes.
ARG BASE_IMAGE=debian:trixie-slim
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.9

FROM ${UV_IMAGE} AS uv

FROM ${BASE_IMAGE} AS build
SHELL ["sh", "-exc"]
RUN <<EOT
apt-get update -qy
apt-get install -qyy -o APT::Install-Recommends=false -o APT::Install-Suggests=false \
    build-essential \
    ca-certificates \
    libpcre2-dev \
    python3-setuptools \
    python3.13-dev
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
    libpcre2-8-0 \
    libpython3.13 \
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
CMD ["uwsgi", "--http-socket", ":8000", "--master", "--processes", "2", "--module", "my_service.wsgi"]
