"""A whole job with sound in both formats, at one loudness."""

from pathlib import Path

from tests.clips import Clips
from tests.integration.players import decoded_tracks
from tests.integration.service import Service


async def test_both_formats_are_told_published_and_play(service: Service, clip: Clips) -> None:
    job = service.job(service.source(clip(audio="5.1"), name="surround"))
    surround = {"BitrateInKbps": 384, "Sound": "5.1", "AudioFormat": "AC3", "CreationRule": "OnMatchingSound"}
    job["ContentProcessing"] |= {
        "OutputFormat": "Cmaf",
        "NormalizeAudio": True,
        "AudioRepresentations": [{"BitrateInKbps": 128}, surround],
    }
    ended = await service.run(job)
    assert ended.names[-1] == "JobSuccess"
    event = {event["EventType"]: event for event in ended.events}
    asked = event["VideoEncodingStarted"]["AudioRepresentations"]
    assert [(r["Sound"], r["AudioFormat"]) for r in asked] == [("Stereo", "AAC"), ("5.1", "AC3")]
    measured = [b for b in event["EncodingFinished"]["Bitrates"] if b["Kind"] == "Audio"]
    assert [b["Codec"] for b in measured] == ["AAC", "AC3"]
    assert abs(measured[1]["MeasuredBitrateInKbps"] - 384) < 20
    output = Path(job["ContentPublishing"]["UriPath"])
    assert ',ac-3"' in (output / "manifest.m3u8").read_text()
    kinds = [track.kind for track in decoded_tracks(str(output / "manifest.mpd"))]
    assert kinds.count("audio") == 2
