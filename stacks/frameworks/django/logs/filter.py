

def _has_exception(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR and record.exc_info is not None
