"""Clients of a service: python load.py HOST AUTHORITY LEAST STOP.

New clients open a connection for each request, kept ones keep theirs, slow ones ask for a page that takes a second. They
go on until the new and the kept ones have made LEAST requests each, and the file STOP exists. A request is repeated only
if it met the end of an idle connection, as proxies do: https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1

Prints JSON: for each kind of client the number of requests, of those repeated, and of those that failed, by reason. It
runs on the Python of the service's image, so it imports nothing but the standard library.
"""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from pathlib import Path
from select import select

HOST, AUTHORITY, LEAST, STOP = sys.argv[1:]
CLIENTS = {"new": 4, "kept": 4, "slow": 2}
PAUSE = 0.005  # seconds, so that the clients leave CPU time to the cluster
results = {kind: Counter() for kind in CLIENTS}
repeated: Counter[str] = Counter()


def going() -> bool:
    """Return whether to go on."""
    return min(results[kind].total() for kind in ("new", "kept")) < int(LEAST) or not Path(STOP).exists()


def client(kind: str) -> None:
    """Send requests, one after the other, and count their results."""
    path, headers = "/slow" if kind == "slow" else "/", {"Host": AUTHORITY}
    if kind != "kept":
        headers["Connection"] = "close"
    connection = HTTPConnection(HOST, timeout=60)
    while going():
        used = connection.sock is not None
        try:
            # As each pool of connections does: one that the server has closed isn't used again.
            if connection.sock and select([connection.sock], [], [], 0)[0]:
                connection.close()
                used = False
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            results[kind][str(response.status)] += 1
        except (OSError, HTTPException) as error:
            connection.close()
            if used and isinstance(error, (RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
                repeated[kind] += 1
                continue
            results[kind][type(error).__name__] += 1
        time.sleep(PAUSE)


print("started", flush=True)
with ThreadPoolExecutor(sum(CLIENTS.values())) as pool:
    list(pool.map(client, (kind for kind, number in CLIENTS.items() for _ in range(number))))
report = {
    kind: {
        "requests": found.total(),
        "repeated": repeated[kind],
        "failed": {why: number for why, number in found.items() if why != "200"},
    }
    for kind, found in results.items()
}
print(json.dumps(report), flush=True)
