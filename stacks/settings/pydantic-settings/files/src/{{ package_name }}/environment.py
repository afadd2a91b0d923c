# An update overwrites this file.
"""Settings whose errors name the environment variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def comma_separated(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Split text at its commas."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part for part in map(str.strip, parts) if part)


# NoDecode: not JSON, which pydantic-settings expects of a list or tuple.
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(comma_separated)]


class EnvironmentSettings(BaseSettings):
    """Each field is read from the environment variable of its name, in upper case."""

    model_config = SettingsConfigDict(frozen=True)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings.

        Raises:
            ValueError: Some are missing or invalid. The message names all of them.
        """
        try:
            return cls()
        except ValidationError as error:
            reasons = map(cls._explain, error.errors(include_url=False))
            raise ValueError("; ".join(reasons)) from None

    @classmethod
    def _explain(cls, error: ErrorDetails) -> str:
        """Name the variable and, unless it is secret, its value."""
        if not error["loc"]:  # a validator of several fields, whose values aren't shown
            return error["msg"]
        name = str(error["loc"][0])
        if error["type"] == "missing":
            return f"{name.upper()} is missing"
        is_secret = "Secret" in str(cls.model_fields[name].annotation)
        value = "invalid" if is_secret else f'"{error["input"]}"'
        return f"{name.upper()} is {value}: {error['msg']}"
