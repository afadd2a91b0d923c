# The client: in a container, each measurement has a network, and so all of the ports, of its own.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    apt-get update && apt-get install --yes --no-install-recommends apache2-utils
