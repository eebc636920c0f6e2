"""A whole job with watermark and thumbnails, and one that can have no images."""

from pathlib import Path

from PIL import Image

from tests.clips import Clips
from tests.integration.service import Service

SECTIONS = {"ImageExtraction": {"Intervals": [50]}, "Thumbnails": {"Generate": True, "DurationInSeconds": 1}}


async def test_a_logo_from_the_source_folder_is_on_the_picture_and_in_its_thumbnails(
    service: Service, clip: Clips, tmp_path: Path
) -> None:
    logo = tmp_path / "logo.mp4"  # what a mapping would take for a video
    Image.new("RGB", (64, 64), "red").save(logo, format="PNG")
    source = service.source(clip(pattern="color=black", audio=None), logo, name="logo")
    job = service.job(source, Thumbnails=SECTIONS["Thumbnails"])
    job["MediaMappings"]["FailOnNoAudioTracks"] = False
    job["ContentProcessing"]["VisibleVideoWatermarks"] = [
        {"WatermarkFileName": "logo.mp4", "PositionXPercentage": 0, "PositionYPercentage": 0, "SizePercentage": 50}
    ]
    ended = await service.run(job)
    assert ended.names[-4:] == ["EncodingFinished", "ContentPublished", "ContentPublished", "JobSuccess"]
    output = Path(job["ContentPublishing"]["UriPath"])
    for folder in ("dash", "hls"):
        with Image.open(output / folder / "thumbnails/1.jpg") as sheet:
            corner = sheet.convert("RGB").crop((8, 8, 9, 9)).tobytes()
        assert corner[0] > 200
        assert corner[1] < 60
    assert "thumbnail_tile" in (output / "dash/manifest.mpd").read_text()
    assert (output / "hls/thumbnails.m3u8").is_file()


async def test_sound_alone_succeeds_and_tells_that_it_has_no_images(service: Service, clip: Clips) -> None:
    job = service.job(service.source(clip(), name="sound"), **SECTIONS)
    job["MediaMappings"] = {
        "VideoStreamExpression": "none",
        "AudioFileLanguageExpression": "movie",
        "FailOnNoVideoTracks": False,
    }
    ended = await service.run(job)
    told = [event["Message"] for event in ended.events if event["EventType"] == "ImagesExtractionFailure"]
    assert [("no picture" in text) for text in told] == [True, True]
    assert ended.names[-1] == "JobSuccess"
