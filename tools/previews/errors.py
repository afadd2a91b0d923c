"""Errors of previews."""


class PreviewError(Exception):
    """A preview can't be made; the message says why, in one line."""


def one_line(message: object) -> str:
    """Join the lines of a message, for a table or an error message."""
    return " ".join(str(message).split())
