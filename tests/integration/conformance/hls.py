"""RFC 8216: what playlists hold, whether they agree with each other, and whether the files are as they say."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.conformance.media import Init

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
GROUPS = {"AUDIO": "AUDIO", "SUBTITLES": "SUBTITLES", "VIDEO": "VIDEO"}
MOST_APART = 0.5
"""Seconds between the durations of two playlists of a title."""


@dataclass
class Tag:
    """A line `#NAME:value`, with the line behind it if that is a URI."""

    name: str
    value: str
    uri: str = ""
    attributes: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.attributes = {name: value.strip('"') for name, value in ATTRIBUTE.findall(self.value)}


def tags_of(path: Path) -> list[Tag]:
    """The tags of a playlist, in order."""
    tags: list[Tag] = []
    for line in path.read_text().splitlines():
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            tags.append(Tag(name, value))
        elif line and not line.startswith("#"):
            next(tag for tag in reversed(tags) if tag.name in ("EXTINF", "EXT-X-STREAM-INF")).uri = line
    return tags


def master_problems(path: Path) -> Iterator[str]:
    """What is wrong with a master playlist, the playlists and the files that it names."""
    tags = tags_of(path)
    if tags[0].name != "EXTM3U":
        yield "does not begin with EXTM3U"
    if "EXT-X-INDEPENDENT-SEGMENTS" not in [tag.name for tag in tags]:
        yield "does not tell that segments are independent"
    keyed = any("KEYFORMAT" in tag.attributes for tag in tags)
    if keyed and _version(tags) < 5:
        yield "tells the format of a key, but not version 5 or later"
    media = [tag for tag in tags if tag.name == "EXT-X-MEDIA"]
    streams = [tag for tag in tags if tag.name == "EXT-X-STREAM-INF"]
    yield from _group_problems(media, streams)
    for stream in streams:
        yield from _stream_problems(path.parent, stream)
    named = [tag.uri or tag.attributes.get("URI", "") for tag in tags if tag.name.endswith(("INF", "MEDIA"))]
    playlists = [path.parent / name for name in dict.fromkeys(named) if name]
    if missing := [playlist.name for playlist in playlists if not playlist.is_file()]:
        yield f"playlists are missing: {missing}"
        return
    if unnamed := set(path.parent.glob("*.m3u8")) - {path, *playlists}:
        yield f"names no {sorted(each.name for each in unnamed)}"
    for playlist in playlists:
        yield from (f"{playlist.name}: {text}" for text in media_problems(playlist))
    lengths = {playlist.name: seconds_of(playlist) for playlist in playlists}
    if max(lengths.values()) - min(lengths.values()) > MOST_APART:
        yield f"its playlists differ in length: {lengths}"


def _group_problems(media: list[Tag], streams: list[Tag]) -> Iterator[str]:
    for tag in media:
        if lacking := {"TYPE", "GROUP-ID", "NAME"} - tag.attributes.keys():
            yield f"EXT-X-MEDIA {tag.value} lacks {lacking}"
            return
        if tag.attributes.get("DEFAULT") == "YES" and tag.attributes.get("AUTOSELECT") == "NO":
            yield f"{tag.attributes['NAME']} is the default, but may not be selected"
    groups = {(tag.attributes["TYPE"], tag.attributes["GROUP-ID"]) for tag in media}
    for group in groups:
        members = [tag.attributes for tag in media if (tag.attributes["TYPE"], tag.attributes["GROUP-ID"]) == group]
        yield from (f"{group} {text}" for text in _member_problems(members))
    used = {(kind, tag.attributes[name]) for tag in streams for name, kind in GROUPS.items() if name in tag.attributes}
    if used != groups:
        yield f"streams use the groups {used}, there are {groups}"


def _member_problems(members: list[dict[str, str]]) -> Iterator[str]:
    if repeated := [name for name, n in Counter(each["NAME"] for each in members).items() if n > 1]:
        yield f"has names that repeat: {repeated}"
    if sum(each.get("DEFAULT") == "YES" for each in members) > 1:
        yield "has several defaults"
    chosen = Counter(_kind(each) for each in members if each.get("AUTOSELECT") == "YES")
    if chosen and max(chosen.values()) > 1:
        yield f"has members that cannot be told apart: {chosen.most_common(1)}"
    # Apple's authoring rules: devices choose them by themselves for viewers who told them to.
    if closed := [each["NAME"] for each in members if "CHARACTERISTICS" in each and _kind(each) not in chosen]:
        yield f"has members for accessibility that devices may not choose: {closed}"


def _kind(member: dict[str, str]) -> tuple[str | None, ...]:
    """What devices choose by."""
    return tuple(member.get(name) for name in ("LANGUAGE", "FORCED", "CHARACTERISTICS"))


def _stream_problems(folder: Path, stream: Tag) -> Iterator[str]:
    told = stream.attributes
    if lacking := {"BANDWIDTH", "CODECS"} - told.keys():
        yield f"{stream.uri} lacks {lacking}"
        return
    if int(told.get("AVERAGE-BANDWIDTH", 0)) > int(told["BANDWIDTH"]):
        yield f"{stream.uri} has an average above its peak"
    init = _init(folder / stream.uri)
    if init and not any(init.has(codec) for codec in told["CODECS"].split(",")):
        yield f"{stream.uri}: CODECS {told['CODECS']} does not describe it"
    if init and init.size and told.get("RESOLUTION") != "{}x{}".format(*init.size):
        yield f"{stream.uri}: RESOLUTION {told.get('RESOLUTION')} is not {init.size}"


def _init(playlist: Path) -> Init | None:
    """The initialization segment of a playlist; None = it has none, or is missing."""
    names = [t.attributes["URI"] for t in tags_of(playlist) if t.name == "EXT-X-MAP"] if playlist.is_file() else []
    return Init.of(playlist.parent / names[0]) if names and (playlist.parent / names[0]).is_file() else None


def media_problems(path: Path) -> Iterator[str]:
    """What is wrong with a media playlist and its files."""
    tags = tags_of(path)
    names = [tag.name for tag in tags]
    if names[0] != "EXTM3U" or names[-1] != "EXT-X-ENDLIST":
        yield "does not begin with EXTM3U and end with EXT-X-ENDLIST"
    yield from _version_problems(tags)
    longest = max((round(_length(tag)) for tag in tags if tag.name == "EXTINF"), default=0)
    target = next((int(tag.value) for tag in tags if tag.name == "EXT-X-TARGETDURATION"), 0)
    if not longest or target < longest:
        yield f"has a target duration of {target}, and segments of {longest} s"
    files = [tag.uri for tag in tags if tag.name == "EXTINF"]
    files += [tag.attributes["URI"] for tag in tags if tag.name == "EXT-X-MAP"]
    if missing := [name for name in files if not (path.parent / name).is_file()]:
        yield f"files are missing: {missing}"
    if any(name.endswith(".m4s") for name in files) and "EXT-X-MAP" not in names:
        yield "has fragments without EXT-X-MAP"
    init = _init(path)
    methods = {tag.attributes.get("METHOD") for tag in tags if tag.name == "EXT-X-KEY"} - {"NONE"}
    if init and methods != ({"SAMPLE-AES"} if init.encrypted else set()):
        yield f"has the keys {methods}, and its media is encrypted: {init.encrypted}"


def _version_problems(tags: list[Tag]) -> Iterator[str]:
    needs = {3 if "." in tag.value else 1 for tag in tags if tag.name == "EXTINF"}
    needs |= {4 for tag in tags if tag.name in ("EXT-X-BYTERANGE", "EXT-X-I-FRAMES-ONLY")}
    needs |= {5 for tag in tags if "KEYFORMAT" in tag.attributes}
    iframes = any(tag.name == "EXT-X-I-FRAMES-ONLY" for tag in tags)
    needs |= {5 if iframes else 6 for tag in tags if tag.name == "EXT-X-MAP"}
    if _version(tags) < max(needs, default=1):
        yield f"is of version {_version(tags)}, and needs {max(needs)}"


def _version(tags: list[Tag]) -> int:
    return next((int(tag.value) for tag in tags if tag.name == "EXT-X-VERSION"), 1)


def seconds_of(path: Path) -> float:
    """What the segments of a media playlist add up to."""
    return sum(_length(tag) for tag in tags_of(path) if tag.name == "EXTINF")


def _length(tag: Tag) -> float:
    return float(tag.value.split(",")[0])
