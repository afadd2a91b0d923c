# No contender but the limit: Debian's Python, the code without dependencies, one step after it, and a process that
# sends a constant. An image that does the same work as the others can hardly be better.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN --mount=type=tmpfs,target=/var/cache \
    --mount=type=tmpfs,target=/var/lib/apt/lists \
    --mount=type=tmpfs,target=/var/log \
    apt-get update && apt-get install -y --no-install-recommends python3.13
COPY src /app
RUN true
CMD ["python3.13", "-ISc", "import socket\nserver = socket.create_server(('', 8000))\nwhile True:\n    client, _ = server.accept()\n    client.recv(4096)\n    client.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')\n    client.close()"]
