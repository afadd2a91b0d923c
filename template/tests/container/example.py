# An update overwrites this file.
"""The example values of required settings, from example.env."""

import re
from pathlib import Path

FILE = "example.env"


def example_settings() -> dict[str, str]:
    """Read example.env, which may be missing, as `docker run --env-file` does.

    Values are literal, including quotes and $.
    """
    file = Path(__file__).parents[2] / FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    settings = {}
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if not equals or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f'{FILE}: line {number} is "{line}": write NAME=value')
            settings[name] = value
    return settings
