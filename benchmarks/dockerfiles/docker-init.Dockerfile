# What `docker init` writes for Python: one stage, pip with a cache mount, then the code as it is. Its base image is
# python:VERSION-slim; here, the contenders' common one with Debian's Python. Their command is in contenders.py.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3.13-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3.13 -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_CERT=/etc/ssl/certs/ca-certificates.crt PYTHONPATH=/app/src

# Prevents Python from writing pyc files.
ENV PYTHONDONTWRITEBYTECODE=1
# Keeps Python from buffering stdout and stderr.
ENV PYTHONUNBUFFERED=1

WORKDIR /app

ARG UID=10001
RUN useradd --home-dir /nonexistent --shell /usr/sbin/nologin --no-create-home --uid "${UID}" appuser

RUN --mount=type=cache,id=docker-init,target=/root/.cache/pip \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,source=requirements.txt,target=requirements.txt \
    python -m pip install -r requirements.txt

USER appuser
COPY . .
EXPOSE 8000
