"""ISO/IEC 23009-1, 8.3, the on-demand profile: a file for each representation, with an index that agrees with it."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.integration.conformance.media import Index, boxes

DASH = "{urn:mpeg:dash:schema:mpd:2011}"
TOLERANCE = 0.25
"""Seconds that a track may be shorter or longer than the title: a frame of sound, a cue."""
SEGMENT_STARTS = ("styp", "moof", "emsg", "prft")


def indexed_problems(path: Path, base: ET.Element, seconds: float, bandwidth: int) -> Iterator[str]:
    """What is wrong with a file and what describes it: the SegmentBase, the title's seconds, the bandwidth in bit/s."""
    content = path.read_bytes()
    found = boxes(content)
    initialization = base.find(f"{DASH}Initialization")
    told = initialization.get("range", "") if initialization is not None else ""
    ends = [end for name, end in found.values() if name == "moov"]
    if told != (wanted := f"0-{ends[0] - 1}" if ends else "none"):
        yield f"{path.name} is initialized by {wanted}, not by {told}"
    indices = {f"{start}-{end - 1}": (start, end) for start, (name, end) in found.items() if name == "sidx"}
    if (told := base.get("indexRange", "")) not in indices:
        yield f"{path.name} has the indices {list(indices)}, not {told}"
        return
    start, end = indices[told]
    index = Index.of(content[start:end])
    if base.get("timescale", "1") != str(index.timescale):
        yield f"{path.name} has a timescale of {index.timescale}, not {base.get('timescale')}"
    if index.start / index.timescale > TOLERANCE:
        yield f"{path.name} begins at {index.start}"
    if abs(sum(index.durations) / index.timescale - seconds) > TOLERANCE:
        yield f"{path.name} lasts {sum(index.durations) / index.timescale} s, the title {seconds} s"
    if (average := sum(index.sizes) * 8 / seconds) > bandwidth:
        yield f"{path.name} has {average:.0f} bit/s on average, more than its bandwidth {bandwidth}"
    yield from _segment_problems(path.name, found, end + index.offset, index.sizes, len(content))


def _segment_problems(
    name: str, found: dict[int, tuple[str, int]], place: int, sizes: tuple[int, ...], length: int
) -> Iterator[str]:
    for size in sizes:
        if found.get(place, ("nothing", 0))[0] not in SEGMENT_STARTS:
            yield f"{name} has no segment at {place}, where its index wants one"
        place += size
    if place != length:
        yield f"{name} has {length} bytes, of which its index knows {place}"
