# One stage with pip, as in tutorials: the requirements first, then the code, and a cache for pip.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates \
        gcc \
        libc6-dev \
        libpcre2-dev \
        python3.13 \
        python3.13-dev \
        python3.13-venv \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 999 app \
    && useradd --system --gid 999 --uid 999 app
RUN python3.13 -m venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH \
    LOG_FORMAT=json \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,source=requirements.txt,target=requirements.txt \
    pip install -r requirements.txt

COPY --chmod=755 docker-entrypoint.sh /
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    pip install --no-deps .
USER app
EXPOSE 8000
ENTRYPOINT ["/docker-entrypoint.sh"]
