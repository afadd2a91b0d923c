

def _output() -> TextIO:
    """Return the stream LOG_FD, if the server replaced standard output, else that."""
    if descriptor := os.environ.get("LOG_FD"):
        return open(int(descriptor), "w", encoding="utf-8", closefd=False)
    return sys.stdout
