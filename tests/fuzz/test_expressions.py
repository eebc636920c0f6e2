"""Expressions of jobs: whatever somebody writes, it is refused, or searched in bounded time."""

import time

from hypothesis import given
from hypothesis import strategies as st

from activities.errors import AcquisitionError
from activities.mapping.names import MATCH_SECONDS, Names
from activities.mappings import MediaMappings
from tests.fuzz.trying import TEXT, check_told, inputs, made_of

COMPILED = 1.0
"""Seconds that reading an expression may take: the workflow does it, and may not stand still for two."""
SIGNS = [
    "(",
    ")",
    "(?:",
    "(?<lang>",
    "(?P<a>",
    "(?=",
    "(?!",
    "(?<=",
    "(?<!",
    "(?>",
    "(?|",
    "(?(1)",
    "(?R)",
    "(?1)",
    "(?&a)",
    "(?#",
]
SIGNS += [
    "[",
    "]",
    "[^",
    "[[:alpha:]",
    "||",
    "--",
    "&&",
    "|",
    "*",
    "+",
    "?",
    "{2,}",
    "{1000}",
    "{,9}",
    "*+",
    "+?",
    "{e<=2}",
    "{i}",
]
SIGNS += [
    ".",
    "^",
    "$",
    r"\A",
    r"\Z",
    r"\b",
    r"\w",
    r"\d",
    r"\1",
    r"\g<a>",
    r"\p{L}",
    r"\P{",
    r"\N{DIGIT ONE}",
    r"\x41",
    r"\u",
    r"\L<a>",
]
SIGNS += [
    r"\K",
    r"\G",
    r"\R",
    r"\X",
    "(?i)",
    "(?fi)",
    "(?V1)",
    "(?b)",
    "(?e)",
    "(?r)",
    "(?p)",
    "(?w)",
    "a",
    "ß",
    "ﬃ",
    "-",
    "en",
    r"\.mp4",
]
EXPRESSIONS = made_of(*SIGNS, size=10)


@given(EXPRESSIONS | made_of("(a", "a*", ")*", "+", "|a", "(?:", "$", ".*"), TEXT | st.just("a" * 60 + ".mp4"))
@inputs(75)
def test_an_expression_is_refused_or_bounded(expression: str, name: str) -> None:
    begin = time.monotonic()
    try:
        mappings = MediaMappings.model_validate({"VideoStreamExpression": expression, "AudioStreams": None})
    except ValueError as error:
        check_told(error, "VideoStreamExpression")
        return
    finally:
        assert time.monotonic() - begin < COMPILED
    try:
        Names(mappings).claims(name)
    except AcquisitionError as error:
        check_told(error, "VideoStreamExpression")
    assert time.monotonic() - begin < COMPILED + 2 * MATCH_SECONDS
