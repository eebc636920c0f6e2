"""ISO/IEC 23009-1: order and presence of what an MPD holds, and whether the files are as it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.integration.conformance.media import Init
from tests.integration.conformance.on_demand import DASH, TOLERANCE, indexed_problems

MOST_SEGMENTS = 100_000
KID = "{urn:mpeg:cenc:2013}default_KID"
PROTECTION = "urn:mpeg:dash:mp4protection:2011"
COMMON = (
    "FramePacking AudioChannelConfiguration ContentProtection OutputProtection EssentialProperty SupplementalProperty "
    "InbandEventStream Switching RandomAccess GroupLabel Label ProducerReferenceTime ContentPopularityRate Resync"
)
ORDER = {
    "MPD": "ProgramInformation BaseURL Location PatchLocation ServiceDescription InitializationSet InitializationGroup "
    "InitializationPresentation ContentProtection Period Metrics EssentialProperty SupplementalProperty UTCTiming",
    "Period": "BaseURL SegmentBase SegmentList SegmentTemplate AssetIdentifier EventStream ServiceDescription "
    "ContentProtection AdaptationSet Subset SupplementalProperty EmptyAdaptationSet GroupLabel Preselection",
    "AdaptationSet": f"{COMMON} Accessibility Role Rating Viewpoint ContentComponent BaseURL SegmentBase SegmentList "
    "SegmentTemplate Representation",
    "Representation": f"{COMMON} BaseURL ExtendedBandwidth SubRepresentation SegmentBase SegmentList SegmentTemplate",
    "SegmentBase": "Initialization RepresentationIndex FailoverContent",
    "SegmentTemplate": "Initialization RepresentationIndex SegmentTimeline BitstreamSwitching",
}
"""The schema's sequences."""
REQUIRED = {
    "MPD": ("profiles", "minBufferTime", "mediaPresentationDuration"),
    "Representation": ("id", "bandwidth"),
    "ContentProtection": ("schemeIdUri",),
    "Role": ("schemeIdUri",),
    "SegmentBase": ("indexRange", "timescale"),
    "Initialization": ("range",),
    "S": ("d",),
}


def mpd_problems(path: Path) -> Iterator[str]:
    """What is wrong with an MPD and the files that it names."""
    root = ET.parse(path).getroot()  # noqa: S314 - made by the product
    if root.tag != f"{DASH}MPD" or root.get("type") != "static":
        yield "is not a static MPD"
    for element in root.iter():
        yield from _element_problems(element)
    starts = {path.parent / template.get("initialization", "") for template in root.iter(f"{DASH}SegmentTemplate")}
    if unnamed := set(path.parent.rglob("init.mp4")) - starts:
        yield f"names no {sorted(each.parent.name for each in unnamed)}"
    for period in root.iter(f"{DASH}Period"):
        for kind in ("AdaptationSet", "Representation"):
            ids = [each.get("id") for each in period.iter(f"{DASH}{kind}")]
            if len(ids) != len(set(ids)):
                yield f"ids of {kind} repeat: {ids}"
        for group in period.iter(f"{DASH}AdaptationSet"):
            for representation in group.iter(f"{DASH}Representation"):
                name = f"Representation {representation.get('id')}"
                checked = _Representation(path.parent, group, representation, _seconds(root))
                yield from (f"{name}: {text}" for text in checked.problems())


def _element_problems(element: ET.Element) -> Iterator[str]:
    name = element.tag.removeprefix(DASH)
    for attribute in REQUIRED.get(name, ()):
        if not element.get(attribute):
            yield f"{name} lacks {attribute}"
    if name in ORDER:
        order = ORDER[name].split()
        children = [child.tag.removeprefix(DASH) for child in element if child.tag.startswith(DASH)]
        if unknown := set(children) - set(order):
            yield f"{name} must not hold {unknown}"
        elif children != sorted(children, key=order.index):
            yield f"{name} holds {children}, which the schema wants in another order"


def _seconds(root: ET.Element) -> float:
    parts = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", root.get("mediaPresentationDuration", ""))
    hours, minutes, seconds = (float(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds


class _Representation:
    def __init__(self, folder: Path, group: ET.Element, element: ET.Element, seconds: float) -> None:
        self._folder, self._group, self._element, self._seconds = folder, group, element, seconds

    def problems(self) -> Iterator[str]:
        if not self._get("mimeType"):
            yield "has no mimeType"
        template = self._find("SegmentTemplate")
        base = self._find("BaseURL")
        if template is not None:
            segments, seconds = self._segments(template)
            yield from self._template_problems(template, segments, seconds)
            if initialization := template.get("initialization"):
                yield from self._init_problems(self._folder / initialization)
            elif self._get("mimeType") != "image/jpeg":
                yield "has no initialization segment"
        elif base is not None and base.text:
            yield from self._single_file_problems(self._folder / base.text)
        else:
            yield "names no media"

    def _get(self, name: str) -> str:
        return self._element.get(name) or self._group.get(name) or ""

    def _find(self, name: str) -> ET.Element | None:
        own = self._element.find(f"{DASH}{name}")
        return own if own is not None else self._group.find(f"{DASH}{name}")

    def _segments(self, template: ET.Element) -> tuple[list[Path], float]:
        """The files, and the seconds that they cover."""
        scale, first = int(template.get("timescale", 1)), int(template.get("startNumber", 1))
        runs = [(int(s.get("d", 0)), int(s.get("r", 0)) + 1) for s in template.iter(f"{DASH}S")]
        if not runs:
            length = int(template.get("duration", 0))
            runs = [(length, -int(-self._seconds * scale // length))]
        if sum(times for _, times in runs) > MOST_SEGMENTS:
            raise ValueError("more segments than any title has")
        lengths = [length for length, times in runs for _ in range(times)]
        media = template.get("media", "").replace("$RepresentationID$", self._get("id"))
        names = [media.replace("$Number$", str(number)) for number in range(first, first + len(lengths))]
        return [self._folder / name for name in names], sum(lengths) / scale

    def _template_problems(self, template: ET.Element, segments: list[Path], seconds: float) -> Iterator[str]:
        if missing := [path.name for path in segments if not path.is_file()]:
            yield f"segments are missing: {missing}"
            return
        if extra := set(segments[0].parent.glob(f"*{segments[0].suffix}")) - set(segments):
            yield f"segments are not in the timeline: {sorted(path.name for path in extra)}"
        if template.get("duration"):
            return
        if abs(seconds - self._seconds) > TOLERANCE:
            yield f"lasts {seconds} s, the title {self._seconds} s"
        starts = [int(s.get("t", -1)) for s in template.iter(f"{DASH}S") if s.get("t")]
        if starts[0] / int(template.get("timescale", 1)) > TOLERANCE:
            yield f"begins at {starts[0]}"
        average = sum(path.stat().st_size for path in segments) * 8 / seconds
        if average > int(self._get("bandwidth") or 0):
            yield f"has a bandwidth of {self._get('bandwidth')}, but {average:.0f} bit/s on average"

    def _single_file_problems(self, path: Path) -> Iterator[str]:
        if not path.is_file():
            yield f"{path.name} is missing"
            return
        base = self._find("SegmentBase")
        if base is None:
            yield f"{path.name} has no SegmentBase"
        else:
            yield from indexed_problems(path, base, self._seconds, int(self._get("bandwidth") or 0))
        yield from self._init_problems(path)

    def _init_problems(self, path: Path) -> Iterator[str]:
        if not path.is_file():
            yield f"{path.name} is missing"
            return
        init, codecs = Init.of(path), self._get("codecs")
        if not init.has(codecs):
            yield f"codecs {codecs} does not describe {path}"
        if init.size and init.size != (int(self._get("width")), int(self._get("height"))):
            yield f"is {init.size}, not {self._get('width')}x{self._get('height')}"
        parents = (self._group, self._element)
        found = [each for parent in parents for each in parent.findall(f"{DASH}ContentProtection")]
        told = [(p.get("value"), (p.get(KID) or "").lower()) for p in found if p.get("schemeIdUri") == PROTECTION]
        if told != ([(init.scheme, init.key_id)] if init.encrypted else []):
            yield f"protection is told as {told}, but {path.parent.name} is encrypted: {init.encrypted}"
