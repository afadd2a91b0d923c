# One stage with pip, as in tutorials: the requirements first, then the code. The server's command is that of Flask's
# documentation: https://flask.palletsprojects.com/en/stable/deploying/uwsgi/
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
    && rm -rf /var/lib/apt/lists/*
RUN python3.13 -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_CERT=/etc/ssl/certs/ca-certificates.crt
WORKDIR /app

COPY requirements.txt .
RUN --mount=type=cache,id=tutorial,target=/root/.cache/pip \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    pip install -r requirements.txt
COPY . .
RUN --mount=type=cache,id=tutorial,target=/root/.cache/pip \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    pip install --no-deps .
EXPOSE 8000
CMD ["uwsgi", "--http", "0.0.0.0:8000", "--master", "-p", "4", "-w", "my_service.wsgi"]
