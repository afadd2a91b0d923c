"""Deletes files that are older than a day, until it is told to stop."""
import signal
import threading
import time
from pathlib import Path

from orders.settings import settings

stop = threading.Event()


def clean(older_than=86400):
    for path in Path(settings.uploads).glob("*"):
        if path.stat().st_mtime < time.time() - older_than:
            path.unlink()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("worker is ready", flush=True)
    while not stop.wait(1):
        clean()
    print("worker stops", flush=True)
