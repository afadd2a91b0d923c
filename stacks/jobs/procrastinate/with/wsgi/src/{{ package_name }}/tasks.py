"""What the service does in the background."""

import structlog
from procrastinate import RetryStrategy

from .jobs import app

log = structlog.get_logger()


@app.task(retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def announce(note_id: int) -> None:
    """Tell others about a new note: in this example, only the log."""
    log.info("new note", note=note_id)
