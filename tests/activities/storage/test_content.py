import pytest

from activities.storage.content import cache_control, content_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dash/manifest.mpd", "application/dash+xml"),
        ("hls/manifest.M3U8", "application/vnd.apple.mpegurl"),
        ("video/1.m4s", "video/iso.segment"),
        ("video.ts", "video/mp2t"),
        ("text-en.vtt", "text/vtt; charset=utf-8"),
        ("title.tar", "application/x-tar"),
        ("folder.mp4/file", "application/octet-stream"),
    ],
)
def test_the_ending_decides_on_the_type(name: str, expected: str) -> None:
    assert content_type(name) == expected


def test_only_manifests_are_asked_for_every_time() -> None:
    assert cache_control("dash/manifest.mpd") == cache_control("MAIN.M3U8") == "no-cache"
    assert cache_control("video/1.m4s") == cache_control("manifest.mpd/1.mp4") == "public, max-age=3600"
