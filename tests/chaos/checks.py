"""What has to be true after all that: each check returns what is wrong, in words."""

import base64
import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Event = dict[str, Any]
Story = list[Event]
TERMINAL = ("JobSuccess", "FinalError")
PHASES = {"AcquisitionProgress": "JobCreated", "EncodingProgress": "VideoEncodingStarted"}
"""What progress follows."""
BY_CHANCE = (
    # When a file was made: seconds in two fields of four bytes.
    (re.compile(rb"(mvhd|tkhd|mdhd)(\0...).{8}", re.DOTALL), rb"\1\2"),
    # The packager numbers what it writes as its threads happen to come to it.
    (re.compile(rb'(<AdaptationSet id="|trickmode" value=")\d+'), rb"\1"),
)
"""What differs between two undisturbed runs: an expression, and what it leaves."""
MEASURED = ("Timestamp", "SpeedFactor", "RemainingSeconds")
"""Fields of progress that are measured anew when it is told again."""


@dataclass
class Told:
    """What the receivers of one job have got, by transport, in the order in which it came."""

    stories: dict[str, Story] = field(default_factory=dict)

    @property
    def repeats(self) -> Counter[str]:
        """Events that a transport has handed over more than once."""
        return Counter({name: len(story) - len(once(story)) for name, story in self.stories.items()})

    def problems(self) -> Iterator[str]:
        """All that a consumer would mind."""
        lives = {
            name: [event for event in once(story) if "Progress" not in event] for name, story in self.stories.items()
        }
        for name, story in self.stories.items():
            yield from (f"{name}: {text}" for text in (*_repeated(story), *_order(once(story))))
        for (one, life), (other, life_too) in itertools.pairwise(lives.items()):
            if life != life_too:
                yield f"{one} and {other} tell different stories: {_names(life)} / {_names(life_too)}"


def once(story: Story) -> Story:
    """What a consumer keeps that drops an `EventId` it has seen."""
    seen: dict[str, Event] = {}
    for event in story:
        seen.setdefault(event["EventId"], event)
    return [*seen.values()]


def _repeated(story: Story) -> Iterator[str]:
    """An event that comes again is the same."""
    first: dict[str, Event] = {}
    for event in story:
        same = first.setdefault(event["EventId"], event)
        ignored = MEASURED if "Progress" in event else ()
        if {**event, **dict.fromkeys(ignored)} != {**same, **dict.fromkeys(ignored)}:
            yield f"the EventId of {same} comes again with {event}"


def _order(story: Story) -> Iterator[str]:
    life = [event for event in story if "Progress" not in event]
    if [event["SequenceNumber"] for event in life] != [*range(1, len(life) + 1)]:
        yield f"gaps or disorder: {_names(life)}"
    if [event["EventType"] for event in life if event["EventType"] in TERMINAL] != ["JobSuccess"]:
        yield f"not one JobSuccess: {_names(life)}"
    if not story or story[-1]["EventType"] not in TERMINAL:
        yield f"something behind the end: {_names(story[-3:])}"
    last, percent = life[0] if life else {}, -1
    for event in story:
        if "Progress" not in event:
            last, percent = event, -1
            continue
        if (last["EventType"], last["SequenceNumber"]) != (PHASES[event["EventType"]], event["SequenceNumber"]):
            yield f"{_names([event])} comes behind {_names([last])}"
        if event["Progress"] <= percent:
            yield f"{_names([event])} comes behind {percent} %"
        percent = max(percent, event["Progress"])


def _names(story: Story) -> str:
    return ", ".join(
        f"{event['SequenceNumber']} {event['EventType']} {event.get('Progress', '')}".strip() for event in story
    )


def digests(files: dict[str, bytes], sizes_below: str | None = None) -> dict[str, str]:
    """Names and contents, to be compared; of the segments below a folder, sizes: `cenc` begins with random numbers."""
    return {
        name: str(len(content))
        if sizes_below is not None and name.startswith(sizes_below) and name.endswith(".m4s")
        else hashlib.sha256(_settled(content)).hexdigest()
        for name, content in files.items()
    }


def _settled(content: bytes) -> bytes:
    for expression, left in BY_CHANCE:
        content = expression.sub(left, content)
    return content


def differences(made: dict[str, str], expected: dict[str, str]) -> Iterator[str]:
    """Of an output and that of an undisturbed run."""
    if extra := made.keys() - expected.keys():
        yield f"unexpected files: {sorted(extra)[:5]}"
    if missing := expected.keys() - made.keys():
        yield f"missing files: {sorted(missing)[:5]}"
    if changed := [name for name in made.keys() & expected.keys() if made[name] != expected[name]]:
        yield f"other contents: {sorted(changed)[:5]}"


def forms(secret: str | bytes) -> set[bytes]:
    """How a secret may look where it should not be."""
    plain = secret.encode() if isinstance(secret, str) else secret
    found = {plain, base64.b64encode(plain), plain.hex().encode(), plain.hex().upper().encode()}
    return found | (
        {quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()} if isinstance(secret, str) else set()
    )


def leaks(seen: dict[str, str], secrets: Iterable[str | bytes]) -> Iterator[str]:
    """Places in which a secret stands in any form."""
    for place, content in seen.items():
        raw = content.encode(errors="replace")
        if not raw:
            yield f"nothing was seen of {place}"
        yield from (
            f"a secret ({secret!r:.8}…) is in {place}"
            for secret in secrets
            if any(form in raw for form in forms(secret))
        )
