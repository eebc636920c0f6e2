"""How much a description may hold: it is read inside of the workflow, which must not stand still, by all who see it."""

from collections.abc import Iterable
from typing import Any

MOST_VALUES = 10_000
"""A job that uses every list to the full has half of them."""
DEEPEST = 20
"""Sections in each other; a job has five."""


def excess(description: dict[str, Any]) -> tuple[str, str] | None:
    """The field of a JSON object with which it becomes too large, and what is wrong with it; None = it is not."""
    count = 0
    for name, value in description.items():
        level, depth = [value], 0
        while level:
            count, depth = count + len(level), depth + 1
            if count > MOST_VALUES:
                return name, f"with it the job holds more than {MOST_VALUES} values; give fewer"
            if depth > DEEPEST:
                return name, f"sections lie in each other more than {DEEPEST} deep; no job needs that"
            level = [child for each in level for child in _children(each)]
    return None


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
