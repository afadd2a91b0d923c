import signal
import threading

from django.core.management.base import BaseCommand

from shop.models import Document


class Command(BaseCommand):
    help = "Counts the lines of new documents, until it is told to stop"

    def handle(self, *args, **options):
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        self.stdout.write("worker is ready")
        self.stdout.flush()
        while not stop.is_set():
            for document in Document.objects.filter(lines=None):
                with document.file.open() as f:
                    document.lines = sum(1 for line in f)
                document.save()
                self.stdout.write(f"counted {document.id}")
                self.stdout.flush()
            stop.wait(1)
        self.stdout.write("worker stops")
