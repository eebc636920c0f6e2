"""Descriptions that are built to exhaust who reads them: refused at once, by their field."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
import regex

from activities.expressions import MOST, has_calls, size
from tests.fuzz.trying import within
from tests.workflows.test_job import minimal, problems
from workflows.job import Job, publishers_of
from workflows.limits import MOST_VALUES

PATIENCE = 2.0
"""Seconds: Temporal takes a workflow that thinks for longer for a dead one."""
EVENTS = {"Type": "Files", "UriPath": "/events"}


def nested(depth: int) -> Any:
    value: Any = "x"
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def mappings(*expressions: str) -> dict[str, Any]:
    streams = [{"Language": "en", "FileNameExpression": expression} for expression in expressions]
    return {"AudioStreams": streams[:200], "SubtitleStreams": streams[200:400], "CaptionStreams": streams[400:600]}


BOMBS: dict[str, tuple[dict[str, Any], str]] = {
    "a million fields": ({f"f{number}": number for number in range(100_000)}, "with it the job holds more than"),
    "a million fields in a section": ({"Naming": dict.fromkeys(map(str, range(100_000)), 1)}, "Naming"),
    "a million publishers": ({"MessagePublishers": [EVENTS] * 1_000_000}, "MessagePublishers"),
    "a million formats": ({"ContentProcessing": {"OutputFormat": ["Dash"] * 1_000_000}}, "ContentProcessing"),
    "deep": ({"ContentProcessing": nested(900)}, "ContentProcessing"),
    "deep in a field that is none": ({"Deep": nested(21)}, "Deep"),
    "a long text": ({"ContentProcessing": {"KeyId": "x" * 1_500_000}}, "ContentProcessing"),
    "a long name": ({"x" * 1_500_000: 1}, "xxx"),
    "long names that no terminal shows": ({f"\U000e0001{n}" + "\U000e0001" * 300: n for n in range(50)}, "U000e0001"),
    "a large number": ({"ContentProcessing": {"VideoRepresentations": [{"BitrateInKbps": 10**4000}]}}, "Bitrate"),
    "an endless number": ({"ImageExtraction": {"Intervals": [float("inf")]}}, "ImageExtraction.Intervals[0]"),
    "no number": ({"ImageExtraction": {"Intervals": [float("nan")]}}, "ImageExtraction.Intervals[0]"),
    "an expression that writes itself out": (
        {"MediaMappings": {"VideoStreamExpression": "(?:(?:.|x){1000}){1000}"}},
        "MediaMappings.VideoStreamExpression",
    ),
    "a text of blanks where an expression could be": ({"MediaMappings": {"x": " " * 1_900_000}}, "MediaMappings.x"),
    "a number without end": ({"MediaMappings": {"x": "({999999999" * 170_000}}, "MediaMappings.x"),
    "thousands of long texts": ({"MediaMappings": {"x": [" " * 1000] * 1900}}, "MediaMappings: its expressions"),
    "many expressions": ({"MediaMappings": mappings(*["(?:.|x){50}"] * 600)}, "MediaMappings: its expressions"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_it_is_refused_at_once_by_its_field(bomb: str) -> None:
    fields, field = BOMBS[bomb]
    begin = time.perf_counter()
    found = problems(minimal(**fields))
    publishers_of(minimal(**fields))
    assert time.perf_counter() - begin < PATIENCE
    assert any(field in problem for problem in found), found
    assert len(str(found)) < 20_000


@pytest.mark.parametrize(
    "moment", [float("nan"), float("inf"), -1, 1e300, "9" * 5000 + ":00:00", "00:00:" + "9" * 5000]
)
@pytest.mark.parametrize("field", ["StartTime", "SizePercentage", "PositionXPercentage", "OpacityPercentage"])
def test_numbers_that_no_watermark_has_are_refused(field: str, moment: object) -> None:
    mark = {"WatermarkFileName": "a.png", "PositionXPercentage": 0, "PositionYPercentage": 0, field: moment}
    found = problems(minimal(ContentProcessing={"VisibleVideoWatermarks": [mark]}))
    assert any(field in problem for problem in found), found


def test_a_job_that_uses_its_lists_is_not_too_large() -> None:
    names = [rf"^{number:03}-audio-version-of-the-film\.wav$" for number in range(300)]
    job = minimal(MediaMappings=mappings(*names), MessagePublishers=[EVENTS] * 5)
    assert sum(1 for _ in json.dumps(job).split(",")) < MOST_VALUES
    assert len(Job.parse(job).media_mappings.subtitle_streams) == 100


@pytest.mark.parametrize(
    "usual",
    [
        r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_(?<lang>\w{2})\.mp4$",
        r"(?i)(?:\d{2}[-_]){3}.{0,200}\.(?:mp4|mov)$",
        r"(?<lang>\p{L}{3})-(?:\d+p){1,3}",
    ],
)
def test_usual_expressions_are_far_from_the_limit(usual: str) -> None:
    regex.compile(usual)
    assert size(usual) < MOST / 10


@pytest.mark.parametrize(
    "hidden",
    [
        "(?:(?:.|x){0000000000000001000}){1000}",
        "(?x)(?:(?:.|x) # ]\n {1000}) # a\n {1000}",
        "(?:(?:.|x)(?#]){1000})(?#a){1000}",
        "(?:(?:.|x){1000,}){1000,2000}",
        "(?:(?:(?:(?:.|x){10}){10}){10}){10}",
        r"\p{L}{99999}",
    ],
)
def test_no_spelling_hides_how_large_an_expression_is(hidden: str) -> None:
    assert size(hidden) > MOST


@pytest.mark.parametrize("atom", [" ", "{", "{ ", "a {", ") {", "{1", "\\", "(?", "(?-"])
def test_an_expression_is_looked_at_in_time_that_grows_with_its_length(atom: str) -> None:
    with within(1):
        size(atom * 100_000)
        has_calls(atom * 100_000)


def test_what_the_limit_is_for() -> None:
    """Without it, the process that compiles such an expression is gone, or busy for long."""
    command = [sys.executable, "-c", "import regex; regex.compile('(?:(?:.|x){700}){700}')"]
    with pytest.raises((subprocess.TimeoutExpired, subprocess.CalledProcessError)):
        subprocess.run(command, check=True, timeout=0.5, capture_output=True)
