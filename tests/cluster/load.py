"""Clients of a service: python load.py HOST PORT AUTHORITY CLIENTS LEAST [STOP [PAUSE]].

Half of the CLIENTS open a connection for each request, the others keep theirs. No request is repeated. They go on until
there were LEAST requests of each kind and the file STOP exists, with a PAUSE after each, in seconds.

Prints JSON, for each kind: the number of requests, the failed ones by reason, and the latencies' 50th and 99th percentile in
milliseconds; and the rate of all per second.

It runs on the Python of the service's image, so it imports nothing but the standard library.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

TIMEOUT = 30


class Kind:
    """What became of the requests on new or on kept connections."""

    def __init__(self) -> None:
        self.durations: list[float] = []
        self.failed: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.durations) + self.failed.total()

    def report(self) -> dict[str, object]:
        """Return the figures."""
        ordered = sorted(self.durations)
        percentiles = {f"p{n}": round(ordered[len(ordered) * n // 100] * 1000, 1) for n in (50, 99)} if ordered else {}
        return {"requests": len(self), "failed": dict(self.failed), **percentiles}


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read a response; return its status, and whether the connection is kept."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    await reader.readexactly(int(headers["content-length"]))
    return int(head.split()[1]), headers.get("connection") != "close"


async def client(address: tuple[str, int], authority: str, kind: Kind, keeps: bool, pause: float, going) -> None:
    """Send requests, one after the other."""
    connection = "keep-alive" if keeps else "close"
    request = f"GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: {connection}\r\n\r\n".encode()
    reader = writer = None
    while going():
        started = time.perf_counter()
        stage = "connect"
        try:
            async with asyncio.timeout(TIMEOUT):
                # As each pool of connections does: one that the server has closed isn't used again.
                if writer is None or reader.at_eof():
                    reader, writer = await asyncio.open_connection(*address)
                stage = "send"
                writer.write(request)
                status, kept = await read_response(reader)
            if status == 200:
                kind.durations.append(time.perf_counter() - started)
            else:
                kind.failed[f"status {status}"] += 1
        except (OSError, EOFError) as error:
            kind.failed[f"{stage}: {type(error).__name__}"] += 1
            kept = False
        if not (keeps and kept) and writer is not None:
            writer.close()
            writer = None
        await asyncio.sleep(pause)


async def main(
    host: str, port: str, authority: str, clients: str, least: str, stop: str = "/", pause: str = "0.005"
) -> None:
    """Send requests; print the report."""
    kinds = {"new": Kind(), "kept": Kind()}
    started = time.perf_counter()

    def going() -> bool:
        return min(map(len, kinds.values())) < int(least) or not Path(stop).exists()

    print("started", flush=True)
    await asyncio.gather(
        *(
            client((host, int(port)), authority, kind, name == "kept", float(pause), going)
            for name, kind in kinds.items()
            for _ in range(int(clients) // 2)
        )
    )
    rate = round(sum(map(len, kinds.values())) / (time.perf_counter() - started), 1)
    print(json.dumps({name: kind.report() for name, kind in kinds.items()} | {"rate": rate}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
