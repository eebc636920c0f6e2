"""The `Naming` section of a job: what is published under which names."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from publishers.wire import Wire

MANIFEST, VIDEO, AUDIO, TEXT = "manifest", "video", "audio", "text"
ENDINGS = (".mpd", ".m3u8")


def _plain(name: str) -> str:
    """It becomes a file name, a part of links, and a field of the packager, which commas and spaces would end."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError("use letters from a to z, digits, and . _ - behind the first; a folder cannot be named")
    return name


def _bare(name: str) -> str:
    """The ending is added by the service; a client that gives it means the same file."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


Stem = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain)]
ManifestStem = Annotated[Stem, AfterValidator(_bare)]


class Naming(Wire):
    """Names of manifests, without their endings, and the first part of the names of tracks.

    The rest of a track's name tells what it is: `movie` gives `movie-H264-540-1590k`, `sound` gives `sound-en`.
    """

    manifest_name: ManifestStem | None = None
    """Of both manifests, where they have no name of their own."""
    dash_manifest_name: ManifestStem | None = None
    hls_manifest_name: ManifestStem | None = None
    video_chunks_pattern: Stem | None = None
    audio_chunks_pattern: Stem | None = None

    @property
    def dash_manifest(self) -> str:
        """Without its ending."""
        return self.dash_manifest_name or self.manifest_name or MANIFEST

    @property
    def hls_manifest(self) -> str:
        """Without its ending."""
        return self.hls_manifest_name or self.manifest_name or MANIFEST

    @property
    def video(self) -> str:
        """What the names of video renditions begin with."""
        return self.video_chunks_pattern or VIDEO

    @property
    def audio(self) -> str:
        """What the names of audio renditions begin with."""
        return self.audio_chunks_pattern or AUDIO

    @model_validator(mode="after")
    def _is_no_playlist(self) -> "Naming":
        """The playlists of tracks lie beside the manifests; on some storages capitals count for nothing."""
        taken = tuple(f"{start.casefold()}-" for start in (self.video, self.audio, TEXT))
        for name in (self.dash_manifest, self.hls_manifest):
            if name.casefold().startswith(taken) or name.casefold() == "thumbnails":
                raise ValueError(f"a manifest called {name} could meet the playlist of a track; take another name")
        return self
