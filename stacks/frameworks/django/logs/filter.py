

def _tells_why_it_failed(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR and record.exc_info is not None
