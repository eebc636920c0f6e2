from collections.abc import Callable
from pathlib import Path

import pytest

from activities.errors import AcquisitionError
from activities.map import Mapped, TextTrack
from activities.prepare import Prepared, PrepareRequest, prepare_text
from activities.workspace import workspace
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace
from tests.clips import srt_file, vtt_file

pytestmark = pytest.mark.usefixtures("root")
CUE = "1\n00:00:00,000 --> 00:00:01,000\n{}\n\n"


async def prepared(*files: Path) -> Prepared:
    kinds = {".srt": "SRT", ".vtt": "WebVTT"}
    tracks = [TextTrack(in_workspace(file, number), "en", kinds[file.suffix]) for number, file in enumerate(files, 1)]
    return await Running()(prepare_text, PrepareRequest(JOB_ID, Mapped(None, [], tracks)))


def text(made: Prepared, number: int = 0) -> str:
    return (workspace(JOB_ID) / made.text[number].path).read_text()


@pytest.mark.parametrize("write", [srt_file, vtt_file])
async def test_both_formats_become_webvtt(write: Callable[[Path], Path], tmp_path: Path) -> None:
    name = "text.srt" if write is srt_file else "text.vtt"
    content = text(await prepared(write(tmp_path / name)))
    assert content.startswith("WEBVTT\n")
    assert "00:01.000 --> 00:01.800\nGrüße, 世界\n" in content


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_unicode_in_any_form_is_read(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "text.srt").write_text(CUE.format("Grüße"), encoding=encoding)
    assert "Grüße" in text(await prepared(tmp_path / "text.srt"))


@pytest.mark.parametrize(
    "content",
    [
        CUE.format("Grüße").encode("latin-1"),
        (CUE.format("fine") * 50 + CUE.format("Grüße")).encode("latin-1"),
        b"",
        b" \n",
        b"prose, no subtitles\n",
        bytes(1000),
    ],
    ids=["latin-1", "one cue of many", "empty", "blank", "prose", "zeros"],
)
async def test_a_file_that_cannot_be_read_whole_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad name's.srt").write_bytes(content)
    with pytest.raises(AcquisitionError, match=r"bad name's\.srt") as caught:
        await prepared(srt_file(tmp_path / "good.srt"), tmp_path / "bad name's.srt")
    assert not caught.value.retryable
    assert str(tmp_path) not in str(caught.value)


async def test_a_file_without_a_cue_is_named(tmp_path: Path) -> None:
    (tmp_path / "silent.vtt").write_text("WEBVTT\n\nNOTE nothing is said\n")
    with pytest.raises(AcquisitionError, match=r"silent\.vtt"):
        await prepared(tmp_path / "silent.vtt")


async def test_another_attempt_starts_afresh(tmp_path: Path) -> None:
    await prepared(srt_file(tmp_path / "a.srt"), vtt_file(tmp_path / "b.vtt"))
    made = await prepared(srt_file(tmp_path / "a.srt"))
    assert [path.name for path in (workspace(JOB_ID) / "text").iterdir()] == [Path(made.text[0].path).name]
