"""Corrects what the packager writes into the manifests, and adds the track of tiled images that it cannot write.

DASH: DASH-IF IOP 4.3, section 6.2.6. HLS: the image media playlist that Roku, Shaka Player and others read.
"""

import io
import math
import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

MPD = "urn:mpeg:dash:schema:mpd:2011"
TILE = "http://dashif.org/guidelines/thumbnail_tile"
HLS_VERSION = 7
KEY_FORMAT_VERSION = 5
"""RFC 8216, section 7: of playlists that tell the format of a key."""
AFTER_LABEL = ("Accessibility", "Role", "Rating", "Viewpoint", "SegmentTemplate", "Representation")
"""What the schema of the MPD wants behind all else in an adaptation set, in this order."""


@dataclass(frozen=True)
class Tiles:
    """Sheets of equal images, `1.jpg`, `2.jpg`, … in a folder beside the manifest; the last may not be full."""

    folder: str
    """Its name, which is also that of the representation and the playlist."""
    width: int
    """Of one image, in pixels."""
    height: int
    columns: int
    rows: int
    seconds: float
    """From one image to the next."""
    duration: float
    """Seconds of film that all sheets cover."""
    bandwidth: int
    """bit/s"""

    @property
    def sheet_seconds(self) -> float:
        """What a full sheet covers."""
        return self.columns * self.rows * self.seconds

    @property
    def images(self) -> int:
        return max(1, math.ceil(round(self.duration / self.seconds, 3)))

    @property
    def sheets(self) -> int:
        return math.ceil(self.images / (self.columns * self.rows))


def with_tiles(mpd: str, tiles: Tiles) -> str:
    """An MPD with the track in its last period; one that has it already stays as it is."""
    document = _parsed(mpd)
    period = document.findall(f"{{{MPD}}}Period")[-1]
    sets = period.findall(f"{{{MPD}}}AdaptationSet")
    if any(each.get("contentType") == "image" for each in sets):
        return mpd
    period.append(_adaptation_set(tiles, max((int(each.get("id", 0)) for each in sets), default=-1) + 1))
    return _written(document)


def in_schema_order(mpd: str) -> str:
    """The packager writes roles before labels."""
    document = _parsed(mpd)
    places = {f"{{{MPD}}}{name}": place for place, name in enumerate(AFTER_LABEL)}
    for group in document.iter(f"{{{MPD}}}AdaptationSet"):
        group[:] = sorted(group, key=lambda child: places.get(child.tag, -1))
    return _written(document)


def with_version(master: str) -> str:
    """The packager tells none in master playlists, although the format of keys needs one."""
    if "KEYFORMAT=" not in master or "#EXT-X-VERSION:" in master:
        return master
    return master.replace("#EXTM3U\n", f"#EXTM3U\n#EXT-X-VERSION:{KEY_FORMAT_VERSION}\n", 1)


def with_accessible_choices(master: str) -> str:
    """Let devices choose captions by themselves, for those who told them to: Apple's authoring rules want it.

    The packager allows it for descriptions, but of text only for the first track of a language. Of tracks that only
    names tell apart, the first is enough (RFC 8216, 4.3.4.1.1).
    """
    lines, known = [], set()
    for line in master.splitlines():
        kind = re.sub(r'(URI|NAME)="[^"]*",?|(DEFAULT|AUTOSELECT)=\w+,?', "", line)
        if line.startswith("#EXT-X-MEDIA:") and "CHARACTERISTICS=" in line and kind not in known:
            lines.append(line if "AUTOSELECT=" in line else line.replace(",CHAR", ",AUTOSELECT=YES,CHAR"))
        else:
            lines.append(line)
        known.add(kind)
    return "\n".join([*lines, ""])


def _parsed(mpd: str) -> ET.Element:
    """With its comments, and with the prefixes that it has."""
    for _, (prefix, address) in ET.iterparse(io.StringIO(mpd), events=["start-ns"]):  # noqa: S314 - the packager's
        ET.register_namespace(prefix, address)
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))  # noqa: S314 - the same
    return ET.fromstring(mpd, parser)  # noqa: S314 - the same


def _written(document: ET.Element) -> str:
    ET.indent(document)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + str(ET.tostring(document, encoding="unicode")) + "\n"


def _adaptation_set(tiles: Tiles, number: int) -> ET.Element:
    added = ET.Element(f"{{{MPD}}}AdaptationSet", id=str(number), contentType="image", mimeType="image/jpeg")
    ET.SubElement(
        added,
        f"{{{MPD}}}SegmentTemplate",
        media=f"{tiles.folder}/$Number$.jpg",
        timescale="1000",
        duration=str(round(tiles.sheet_seconds * 1000)),
        startNumber="1",
    )
    representation = ET.SubElement(
        added,
        f"{{{MPD}}}Representation",
        id=tiles.folder,
        bandwidth=str(tiles.bandwidth),
        width=str(tiles.columns * tiles.width),
        height=str(tiles.rows * tiles.height),
    )
    ET.SubElement(
        representation, f"{{{MPD}}}EssentialProperty", schemeIdUri=TILE, value=f"{tiles.columns}x{tiles.rows}"
    )
    return added


def with_image_stream(master: str, tiles: Tiles) -> str:
    """A master playlist with the line of the track at its end; one that has it already stays as it is."""
    line = (
        f"#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={tiles.bandwidth},RESOLUTION={tiles.width}x{tiles.height},"
        f'CODECS="jpeg",URI="{tiles.folder}.m3u8"'
    )
    return master if "#EXT-X-IMAGE-STREAM-INF:" in master else f"{master.rstrip()}\n\n{line}\n"


def image_playlist(tiles: Tiles) -> str:
    """The media playlist of the track."""
    layout = (
        f"#EXT-X-TILES:RESOLUTION={tiles.width}x{tiles.height},LAYOUT={tiles.columns}x{tiles.rows},"
        f"DURATION={tiles.seconds:.7g}"
    )
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{HLS_VERSION}",
        f"#EXT-X-TARGETDURATION:{math.ceil(tiles.sheet_seconds)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-IMAGES-ONLY",
    ]
    for number in range(1, tiles.sheets + 1):
        seconds = min(tiles.sheet_seconds, tiles.duration - (number - 1) * tiles.sheet_seconds)
        lines += [f"#EXTINF:{seconds:.3f},", layout, f"{tiles.folder}/{number}.jpg"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])
