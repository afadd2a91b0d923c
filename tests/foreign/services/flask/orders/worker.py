"""Counts the lines of new files, until it is told to stop."""
import os
import signal
import sys
import threading

from orders import create_app
from orders.models import File, db

stop = threading.Event()


def work(app):
    for file in File.query.filter_by(lines=None).all():
        with open(os.path.join(app.config["UPLOADS"], file.name), "rb") as f:
            file.lines = sum(1 for _ in f)
        print("counted", file.id, flush=True)
    db.session.commit()


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    app = create_app()
    print("worker is ready", flush=True)
    while not stop.is_set():
        with app.app_context():
            work(app)
        stop.wait(1)
    print("worker stops", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
