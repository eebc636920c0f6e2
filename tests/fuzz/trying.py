"""How many inputs a target is tried with, and what inputs are made of."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LONG = "ENCODING_FUZZING"
"""Set to a number: so many times as many inputs, other ones each time. Otherwise few, always the same."""

CONTROLS = ["\0", "\r", "\n", "\t", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e", "\ufffd", "\u0663"]
"""What looks like nothing, ends lines, or is a digit to some functions alone."""
ODD = [
    *CONTROLS,
    "'",
    '"',
    "\\",
    "/",
    "..",
    "%",
    "%00",
    "%2e%2e",
    "%ff",
    ":",
    ";",
    ",",
    "=",
    "<",
    ">",
    "&",
    "$",
    "{",
    "}",
]
ODD += [
    "-",
    "--",
    " ",
    "#",
    "?",
    "@",
    "[",
    "]",
    "(",
    ")",
    "*",
    "+",
    "|",
    "ß",
    "\u0131",
    "é",
    "e\u0301",
    "漢",
    "😀",
    "9" * 400,
]
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TEXT = st.lists(st.sampled_from(ODD) | LETTERS, max_size=6).map("".join)
"""Short texts of what parsers stumble over."""
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 10**400, 1e308, -0.0])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | st.sampled_from(["nan", "inf", "-1", "1e400", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
"""What JSON can hold, with the numbers that Python reads beyond the standard."""


def times() -> int:
    """By how much there are more inputs than in the short form."""
    return int(os.environ.get(LONG, "1"))


def inputs(count: int) -> settings:
    """Try a target with `count` inputs; in the long form with many times as many, and other ones each time."""
    return settings(
        max_examples=count * times(),
        derandomize=LONG not in os.environ,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def made_of(*pieces: str, size: int = 12) -> st.SearchStrategy[str]:
    """Texts of these pieces, with others between them."""
    return st.lists(st.sampled_from(pieces) | TEXT, max_size=size).map("".join)


Way = tuple[str | int, ...]
"""Keys and places, from the top of a JSON document."""


def _inside(document: Any) -> Iterator[tuple[str | int, Any]]:
    yield from (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )


def ways(document: Any, way: Way = ()) -> Iterator[tuple[Way, Any]]:
    """Where a document holds something, and what."""
    for step, value in _inside(document):
        yield (*way, step), value
        yield from ways(value, (*way, step))


def leaves(document: Any) -> Iterator[tuple[Way, Any]]:
    """Those that hold nothing themselves."""
    return ((way, value) for way, value in ways(document) if not isinstance(value, dict | list))


def replaced(document: Any, way: Way, value: Any) -> Any:
    """A copy in which another value is at the end of `way`."""
    if not way:
        return value
    copy: Any = document.copy()
    copy[way[0]] = replaced(document[way[0]], way[1:], value) if way[1:] else value
    return copy


def removed(document: Any, way: Way) -> Any:
    """A copy in which nothing is at the end of `way`."""
    copy: Any = document.copy()
    if len(way) > 1:
        copy[way[0]] = removed(document[way[0]], way[1:])
    else:
        del copy[way[0]]
    return copy


def damaged(document: Any, values: st.SearchStrategy[Any] = JSON) -> st.SearchStrategy[tuple[Any, Way]]:
    """Copies in which one value is another, is missing, or has a neighbour that should not be there; and where."""
    places = st.sampled_from([way for way, _ in ways(document)])
    objects = st.sampled_from([(), *(way for way, value in ways(document) if isinstance(value, dict))])
    return st.one_of(
        st.tuples(places, values).map(lambda made: (replaced(document, *made), made[0])),
        st.tuples(objects, TEXT, values).map(
            lambda made: (replaced(document, (*made[0], made[1]), made[2]), (*made[0], made[1]))
        ),
        places.map(lambda way: (removed(document, way), way)),
    )


def check_told(error: Exception, *parts: str, secrets: Sequence[str] = (), most: int = 500) -> None:
    """A person can act on an error: it names what it is about, is short, and repeats no secret."""
    text = str(error)
    assert 0 < len(text) < most
    assert [part for part in parts if part not in text] == []
    assert [secret for secret in secrets if secret in text] == []


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes more of a processor: what grows with the square of its input takes minutes instead."""
    begin = time.thread_time()
    yield
    assert time.thread_time() - begin < seconds
