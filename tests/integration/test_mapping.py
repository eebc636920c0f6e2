"""Whole jobs whose files play unusual parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.activities.reading import pitches
from tests.clips import Clips, _run, srt_file, tone, vtt_file
from tests.integration.players import decoded_tracks
from tests.integration.service import Ended, Service

SMALLEST = {
    "OutputFormat": ["Cmaf"],
    "OptimizeFor": "Speed",
    "VideoRepresentations": [{"Height": 90, "BitrateInKbps": 100}],
}


async def run(service: Service, source: Path, mappings: dict[str, Any], **processing: Any) -> tuple[Ended, Path]:
    job = service.job(source, MediaMappings=mappings, ContentProcessing=SMALLEST | processing)
    return await service.run(job), Path(job["ContentPublishing"]["UriPath"])


def event(ended: Ended, name: str) -> dict[str, Any]:
    assert ended.names[-1] == "JobSuccess", ended.events[-1]
    return next(event for event in ended.events if event["EventType"] == name)


def languages(ended: Ended) -> list[list[str]]:
    prepared = event(ended, "ContentPreProcessed")
    return [prepared[f"{kind}Languages"] for kind in ("Audio", "Subtitle", "Caption")]


async def test_by_convention_joined_sound_description_and_text_from_in_and_beside_the_video(
    service: Service, clip: Clips, tmp_path: Path, serve_folder: Callable[[Path], str]
) -> None:
    movie, words = tmp_path / "movie.mkv", srt_file(tmp_path / "words.srt")
    parts = [clip(audio=None), tone(300, tmp_path / "l.wav"), tone(500, tmp_path / "r.wav"), words]
    inputs = [word for part in parts for word in ("-i", str(part))]
    maps = [word for number in range(4) for word in ("-map", str(number))]
    _run(*inputs, *maps, "-c", "copy", "-metadata:s:s:0", "language=fre", str(movie))
    described = tone(700, tmp_path / "audio-de-ad.wav")
    source = service.source(movie, described, vtt_file(tmp_path / "cc-pt_BR.vtt"), name="convention")
    mappings = {
        "MediaDetection": "Convention",
        "AudioMappings": {"VideoStreamAudioTracks": [{"TrackIndices": [2, 1], "Language": "ger"}]},
    }
    ended, output = await run(service, source, mappings, UseNativeLanguageNames=True)
    assert languages(ended) == [["de"], ["fr"], ["pt-BR"]]
    mapped = event(ended, "ContentMapped")
    assert [(a["TrackIndex"], a["TrackIndices"], a["Channels"], a["Descriptive"]) for a in mapped["AudioStreams"]] == [
        (2, [2, 1], 2, False),
        (0, [0], 1, True),
    ]
    assert [(s["FileName"], s["TrackIndex"]) for s in mapped["SubtitleStreams"]] == [("movie.mkv", 3)]
    assert [(s["FileName"], s["TrackIndex"]) for s in mapped["CaptionStreams"]] == [("cc-pt_BR.vtt", None)]
    assert event(ended, "ContentAcquired")["IgnoredFiles"] == []
    playlist = (output / "manifest.m3u8").read_text()
    for name in ("Deutsch", "Deutsch (AD)", "français", "português (Brasil) (CC)"):
        assert f'NAME="{name}"' in playlist
    tracks = decoded_tracks(f"{serve_folder(output)}/manifest.m3u8")
    assert [track.kind for track in tracks].count("audio") == 2
    assert {name: heard(output, name) for name in ("audio-de", "audio-de-2")} == {
        "audio-de": [500, 300],
        "audio-de-2": [700],
    }


def heard(output: Path, rendition: str) -> list[int]:
    whole = output / f"{rendition}.mp4"
    segments = sorted((output / rendition).glob("*.m4s"))
    whole.write_bytes(b"".join(path.read_bytes() for path in [output / rendition / "init.mp4", *segments]))
    return pitches(whole)


async def test_sound_alone_and_a_silent_picture(
    service: Service, clip: Clips, tmp_path: Path, serve_folder: Callable[[Path], str]
) -> None:
    source = service.source(tone(300, tmp_path / "audio-fr.wav"), clip(name="picture.mp4"), name="halves")
    sound = {
        "VideoStreamExpression": "none",
        "AudioFileLanguageExpression": r"audio-(?<lang>\w+)\.wav$",
        "FailOnNoVideoTracks": False,
    }
    ended, output = await run(service, source, sound)
    assert languages(ended) == [["fr"], [], []]
    assert event(ended, "ContentPreProcessed")["VideoStream"] is None
    assert [track.kind for track in decoded_tracks(f"{serve_folder(output)}/manifest.m3u8")] == ["audio"]

    picture = {"VideoStreamExpression": "picture", "AudioLanguages": ["fr"], "FailOnNoAudioTracks": False}
    ended, output = await run(service, source, picture)
    assert languages(ended) == [[], [], []]
    assert [track.kind for track in decoded_tracks(f"{serve_folder(output)}/manifest.m3u8")] == ["video"]
