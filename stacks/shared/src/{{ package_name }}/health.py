"""What the service needs before it can serve requests: /readyz runs these checks."""

from collections.abc import Callable

# By name. A check raises an exception if its dependency can't be used.
checks: dict[str, Callable[[], object]] = {}
