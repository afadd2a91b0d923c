"""Settings, read from the environment when the application starts."""

from collections.abc import Callable

import environ
from attrs import Attribute

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("console", "json")


def one_of(
    allowed: tuple[str, ...],
) -> Callable[[object, "Attribute[str]", str], None]:
    """Make a validator that refuses what isn't *allowed*, and says what is."""

    def validate(_: object, attribute: "Attribute[str]", value: str) -> None:
        if value not in allowed:
            name, choices = attribute.name.upper(), ", ".join(allowed)
            raise ValueError(f'{name} is "{value}": choose one of {choices}')

    return validate


@environ.config(prefix="", frozen=True)
class Config:
    """A value that makes no sense is an error that names it, at start."""

    log_level: str = environ.var(
        "INFO", converter=str.upper, validator=one_of(LOG_LEVELS)
    )
    log_format: str = environ.var("console", validator=one_of(LOG_FORMATS))
