# Two stages, as in uv's own example: the dependencies first, then the project; the whole virtual environment is copied
# into an image without compilers. What changes with the code comes last.
ARG BASE_IMAGE=debian:trixie-slim
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.9

FROM ${UV_IMAGE} AS uv

FROM ${BASE_IMAGE} AS builder
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates \
        gcc \
        libc6-dev \
        libpcre2-dev \
        python3.13 \
        python3.13-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=uv /uv /bin/uv

ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_DEV=1 \
    UV_PYTHON_DOWNLOADS=0 \
    UV_SYSTEM_CERTS=1

WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --locked --no-install-project
COPY . /app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --locked --no-editable

FROM ${BASE_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends \
        libpcre2-8-0 \
        libpython3.13 \
        python3.13 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 999 app \
    && useradd --system --gid 999 --uid 999 app
ENV PATH=/app/.venv/bin:$PATH \
    LOG_FORMAT=json
WORKDIR /app
COPY --chmod=755 docker-entrypoint.sh /
COPY etc /app/etc
COPY --from=builder --chown=app:app /app/.venv /app/.venv
USER app
EXPOSE 8000
ENTRYPOINT ["/docker-entrypoint.sh"]
