"""Settings, read from the environment when the application starts."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from .environment import CommaSeparated, EnvironmentSettings

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Config(EnvironmentSettings):
    """An invalid value is an error that names the variable, at start."""

    log_level: Annotated[LogLevel, BeforeValidator(str.upper)] = "INFO"
    log_format: Literal["console", "json"] = "console"
    # Accepted Host headers: ".example.com" includes subdomains, "*" accepts any.
    allowed_hosts: CommaSeparated = ("localhost", "127.0.0.1", "[::1]")
