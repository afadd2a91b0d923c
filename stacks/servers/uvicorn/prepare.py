
# Uvicorn would start each worker as a new Python process, which imports everything again. Workers are forks instead, as
# those of other servers are; a signal that comes between the fork and the worker's own handlers ends it.
import multiprocessing  # noqa: E402

import uvicorn._subprocess  # noqa: E402

uvicorn._subprocess.spawn = multiprocessing.get_context("fork")


def signals(how):
    signal.pthread_sigmask(how, (signal.SIGTERM, signal.SIGINT))


def in_worker():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signals(signal.SIG_UNBLOCK)


os.register_at_fork(
    before=lambda: signals(signal.SIG_BLOCK),
    after_in_parent=lambda: signals(signal.SIG_UNBLOCK),
    after_in_child=in_worker,
)

# A worker whose limit of requests is reached would end at once, and with it all requests that are on their way on kept
# connections. Instead, it closes each connection after its response, until the keep-alive timeout is over for all. Without
# a supervisor, as with one worker, nothing would replace it: it serves on.
import asyncio  # noqa: E402
import time  # noqa: E402

from uvicorn.server import Server  # noqa: E402

CLOSE = (b"connection", b"close")
tick, shut_down = Server.on_tick, Server.shutdown


def keep_no_connection(server):
    headers = server.server_state.default_headers
    if CLOSE not in headers:
        headers.append(CLOSE)


async def on_tick(server, counter):
    if multiprocessing.parent_process() is None:
        server.limit_max_requests = None
    if await tick(server, counter):
        if server.should_exit:
            return True
        server.limit_max_requests = None
        server.ends = time.monotonic() + server.config.timeout_keep_alive
    if not hasattr(server, "ends"):
        return False
    keep_no_connection(server)
    return time.monotonic() >= server.ends


# Neither does a worker that ends close a connection that it has just accepted, before it has read the request.
async def shutdown(server, sockets=None):
    for listener in [*server.servers, *(sockets or [])]:
        listener.close()
    keep_no_connection(server)
    deadline = time.monotonic() + 1
    while server.server_state.connections and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    await shut_down(server, sockets)


Server.on_tick, Server.shutdown = on_tick, shutdown
