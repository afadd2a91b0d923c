"""Every combination of platform, framework and server that the template offers."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import choices
import covertable
import pytest

PAIRS = [
    (framework, server) for framework in choices.FRAMEWORKS for server in choices.server_choices(framework).values()
]
# The answers that `platform=other` needs in addition.
OTHER = {"base_image": "registry.example.com/base/debian:13.2", "python_version": "3.12"}
COMBINATIONS = [
    {"platform": platform, "framework": framework, "server": server} | (OTHER if platform == "other" else {})
    for platform in choices.platform_choices().values()
    for framework, server in PAIRS
]


def covering(platforms: Sequence[str]) -> set[tuple[str, str, str]]:
    """Choose a few combinations that cover each pair of platform, framework and server (pairwise testing)."""
    rows = covertable.make(
        {"platform": list(platforms), "framework": list(choices.FRAMEWORKS), "server": list(choices.SERVERS)},
        constraints=[
            {
                "operator": "fn",
                "requires": ["framework", "server"],
                "evaluate": lambda row: (row["framework"], row["server"]) in PAIRS,
            }
        ],
    )
    return {(row["platform"], row["framework"], row["server"]) for row in rows}


FEW = covering(list(choices.platform_choices().values()))
FEW_COMBINATIONS = [row for row in COMBINATIONS if (row["platform"], row["framework"], row["server"]) in FEW]


def marked(parameters: Iterable[Any], every_change: Collection[Any]) -> list:
    """Mark the parameters that are only tested with --slow: those that aren't tested with every change."""
    return [each if each in every_change else pytest.param(each, marks=pytest.mark.slow) for each in parameters]
