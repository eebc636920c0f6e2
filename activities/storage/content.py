"""What a web server has to say about a published file: its type, and how long it may be cached."""

from pathlib import PurePosixPath

MANIFESTS = (".mpd", ".m3u8")
TYPES = {
    ".mpd": "application/dash+xml",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".m4a": "audio/mp4",
    ".ts": "video/mp2t",
    ".aac": "audio/aac",
    ".ac3": "audio/ac3",
    ".vtt": "text/vtt; charset=utf-8",
    ".srt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".tar": "application/x-tar",
}
"""Not from `mimetypes`: its answers depend on the files of the system."""
UNKNOWN = "application/octet-stream"


def content_type(name: str) -> str:
    """The media type of a file, by its ending."""
    return TYPES.get(_ending(name), UNKNOWN)


def cache_control(name: str) -> str:
    """How long players and caches may keep a file.

    Manifests change when a title is published again, and its media then takes over the old names: a long life would
    mix the two.
    """
    return "no-cache" if _ending(name) in MANIFESTS else "public, max-age=3600"


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
