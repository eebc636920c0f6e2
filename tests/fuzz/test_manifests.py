"""Manifests: corrections keep them well-formed, and the checks that tests rely on see what is wrong without failing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from activities.cuts import Chunk
from activities.encode import AudioRequest, ChunkRequest, encode_audio, encode_chunk
from activities.media.manifests import (
    MPD,
    Tiles,
    image_playlist,
    in_schema_order,
    with_accessible_choices,
    with_image_stream,
    with_tiles,
    with_version,
)
from activities.package import PackageRequest, package
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.prepare import PrepareRequest, prepare_text
from activities.tracks import Mapped, TextTrack
from activities.workspace import workspace
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace, video_track
from tests.clips import Clips, srt_file
from tests.fuzz.trying import TEXT, inputs, made_of
from tests.integration.conformance import problems
from tests.integration.conformance.hls import Tag, tags_of


def tiles_of(width: int, grid: tuple[int, int], seconds: float, sheets: float, bandwidth: int) -> Tiles:
    duration = max(0.01, sheets * grid[0] * grid[1] * seconds)
    return Tiles("thumbnails", width, width // 2 + 1, *grid, round(seconds, 3), duration, bandwidth)


TILES = st.builds(
    tiles_of,
    st.integers(2, 1920),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.floats(0.5, 3600),
    st.floats(0, 20),
    st.integers(1, 10**8),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def published(clip: Clips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is made of four seconds: picture, sound and subtitles, in DASH and HLS."""
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENCODING_WORK_ROOT", str(folder / "work"))
        file = in_workspace(clip(seconds=4, size="64x36"))
        source, text = workspace(JOB_ID) / file.path, in_workspace(srt_file(folder / "text.srt"), 2)
        audio = await audio_tracks(source, file)
        sound = [AudioRendition("audio-en", 0, "en", 64, "Stereo")]
        plan = Plan([VideoRendition("video-36", 64, 36, 50)], sound, [Chunk(0)], preset="ultrafast", duration=4)
        chunk = await Running()(encode_chunk, ChunkRequest(JOB_ID, await video_track(source, file), plan, Chunk(0)))
        heard = await Running()(encode_audio, AudioRequest(JOB_ID, audio, plan))
        words = await Running()(prepare_text, PrepareRequest(JOB_ID, Mapped(None, [], [TextTrack(text, "en", "SRT")])))
        request = PackageRequest(JOB_ID, plan, ["Dash", "Hls"], chunk.paths, heard.paths, words.text)
        made = await Running()(package, request)
        shutil.copytree(workspace(JOB_ID) / made.formats[0].root, folder / "title")
    assert problems(folder / "title") == []
    return folder / "title"


@pytest.fixture
def restored(published: Path) -> Iterator[Path]:
    """The title, whose manifests are as they were when the test ends."""
    kept = {path: path.read_text() for path in manifests(published)}
    yield published
    for path, text in kept.items():
        path.write_text(text)


def manifests(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".mpd", ".m3u8"))


FREE = re.compile(
    r"#EXT-X-PLAYLIST-TYPE|#EXT-X-I-FRAME|#EXT-X-PROGRAM|## |#EXT-X-DISCONTINUITY|<!--|<\?xml|  *<(Label|Role|Accessib)"
)
"""Lines that a title plays without."""


def test_no_line_of_a_playlist_is_missing_unnoticed(restored: Path) -> None:
    for path in (path for path in manifests(restored) if path.suffix == ".m3u8" and "iframes" not in path.name):
        lines = path.read_text().splitlines(keepends=True)
        for place, line in enumerate(lines):
            if line.strip() and not FREE.match(line):
                path.write_text("".join(lines[:place] + lines[place + 1 :]))
                assert problems(restored), (path.name, line)
        path.write_text("".join(lines))


def test_no_element_of_an_mpd_is_missing_unnoticed(restored: Path) -> None:
    [path] = restored.rglob("*.mpd")
    text = path.read_text()
    for place in range(len([*_pairs(ET.fromstring(text))])):  # noqa: S314 - made by the product
        root = ET.fromstring(text)  # noqa: S314 - the same
        parent, child = [*_pairs(root)][place]
        if not re.search("Label|Role|Accessib|AudioChannelConfiguration|Property", child.tag):
            parent.remove(child)
            path.write_text(ET.tostring(root, encoding="unicode"))
            assert problems(restored), child.tag


def _pairs(root: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    return ((parent, child) for parent in root.iter() for child in parent)


@given(st.data())
@inputs(12)
def test_whatever_happens_to_a_manifest_the_checks_tell(published: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(manifests(published)))
    text = path.read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    other = data.draw(st.sampled_from(["", "0", "-1", "9", "\n", '"', ",", "nan", "x", "#EXTINF:", "#EXTM3U\n"]) | TEXT)
    try:
        path.write_text(text[:start] + other + text[end:])
        assert isinstance(problems(published), list)
    finally:
        path.write_text(text)


def media(language: str, name: str, rest: str) -> str:
    shown = "".join(char for char in name if char.isprintable() and char != '"')
    names = f'LANGUAGE="{language}",NAME="{shown}"'
    return f'#EXT-X-MEDIA:TYPE=SUBTITLES,URI="{language}.m3u8",GROUP-ID="text",{names}{rest},CHARACTERISTICS="public.x"'


RESTS = st.sampled_from(["", ",AUTOSELECT=YES", ",DEFAULT=NO"])
MEDIA = st.builds(media, st.sampled_from(["en", "de", "pt-BR"]), made_of("English", "(CC)", "ü", size=2), RESTS)
MASTERS = st.lists(MEDIA, max_size=5).map(
    lambda lines: "\n".join(
        ["#EXTM3U", *lines, '#EXT-X-SESSION-KEY:KEYFORMAT="x"', "#EXT-X-STREAM-INF:BANDWIDTH=1", "v.m3u8", ""]
    )
)


@given(MASTERS, TILES)
@inputs(30)
def test_corrections_of_a_master_playlist_add_and_take_nothing_away(
    tmp_path_factory: pytest.TempPathFactory, master: str, tiles: Tiles
) -> None:
    made = with_image_stream(with_accessible_choices(with_version(master)), tiles)
    assert with_image_stream(with_accessible_choices(with_version(made)), tiles) == made
    before, after = (_tags(tmp_path_factory.getbasetemp(), text) for text in (master, made))
    added = [tag.name for tag in after if not _has(before, tag)]
    assert sorted(added) == ["EXT-X-IMAGE-STREAM-INF", "EXT-X-VERSION"]
    assert all(_has(after, tag) for tag in before)


def _tags(folder: Path, text: str) -> list[Tag]:
    (folder / "list.m3u8").write_text(text)
    return tags_of(folder / "list.m3u8")


def _has(tags: list[Tag], wanted: Tag) -> bool:
    return any(
        tag.name == wanted.name and tag.attributes | {"AUTOSELECT": ""} == wanted.attributes | {"AUTOSELECT": ""}
        for tag in tags
    )


CHILDREN = [
    "Label",
    "Role",
    "Accessibility",
    "Representation",
    "SegmentTemplate",
    "ContentProtection",
    "EssentialProperty",
]


def adaptation_set(number: int, children: list[str]) -> str:
    return f'<AdaptationSet id="{number}">{"".join(f"<{name}/>" for name in children)}</AdaptationSet>'


SETS = st.lists(
    st.builds(adaptation_set, st.integers(0, 50), st.lists(st.sampled_from(CHILDREN), max_size=6)), max_size=4
)


@given(SETS, TILES)
@inputs(20)
def test_corrections_of_an_mpd(sets: list[str], tiles: Tiles) -> None:
    text = f'<MPD xmlns="{MPD}"><!-- made --><Period>{"".join(sets)}</Period></MPD>'
    ordered = in_schema_order(text)
    made = with_tiles(ordered, tiles)
    assert in_schema_order(ordered) == ordered
    assert with_tiles(made, tiles) == made
    root = ET.fromstring(made)  # noqa: S314 - made by the product
    groups = root.findall(f".//{{{MPD}}}AdaptationSet")
    assert len(groups) == len(sets) + 1
    assert groups[-1].get("id") not in [group.get("id") for group in groups[:-1]]
    assert len([*root.iter()]) == len([*ET.fromstring(text).iter()]) + 4  # noqa: S314 - the same
    assert "<!-- made -->" in made


@given(TILES)
@inputs(50)
def test_the_playlist_of_images_covers_the_film(tiles: Tiles) -> None:
    lines = image_playlist(tiles).splitlines()
    target = next(int(line.partition(":")[2]) for line in lines if line.startswith("#EXT-X-TARGETDURATION"))
    lengths = [float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")]
    assert all(length > 0 and round(length) <= target for length in lengths)
    assert abs(sum(lengths) - tiles.duration) <= 0.001 * len(lengths) + 0.001 * tiles.seconds
    assert lines[-1] == "#EXT-X-ENDLIST"
    assert tiles.columns * tiles.rows * (tiles.sheets - 1) < tiles.images <= tiles.columns * tiles.rows * tiles.sheets
