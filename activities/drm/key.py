"""Content keys, and which stream is encrypted with which."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid5

from activities.drm.config import DrmManaged

Scheme = Literal["cenc", "cbcs"]
ALL, AUDIO = "ALL", "AUDIO"
QUALITIES = {"SD": 1024 * 576, "HD": 1920 * 1080, "UHD": None}
"""Label → pixels of a picture at most; the ladder's rungs up to 540 lines are SD, 720 and 1080 are HD."""
IV_BYTES = 16


class DrmError(Exception):
    """There are no keys. The text names the field and the remedy, and holds nothing secret.

    Args:
        temporary: whether the same attempt may succeed later.
    """

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True)
class ContentKey:
    """One key; lives in memory alone."""

    label: str
    key_id: UUID
    key: bytes = field(repr=False)
    iv: bytes | None = None
    """None = the packager draws one for each stream."""
    pssh: tuple[bytes, ...] = ()
    """Boxes from the key service, whole."""
    fairplay: str | None = None
    """Key URI from the key service."""

    @property
    def fairplay_uri(self) -> str:
        """License services need the IV as well: FairPlay delivers it with the key."""
        return self.fairplay or f"skd://{self.key_id}" + (f":{self.iv.hex().upper()}" if self.iv else "")


@dataclass(frozen=True)
class Encryption:
    """How one format is encrypted."""

    scheme: Scheme
    keys: tuple[ContentKey, ...]

    def of_video(self, width: int, height: int) -> ContentKey:
        """The key of a picture of this size."""
        return self._labelled(quality(width, height))

    def of_audio(self) -> ContentKey:
        """The key of all sound."""
        return self._labelled(AUDIO)

    def _labelled(self, label: str) -> ContentKey:
        return next(key for key in self.keys if key.label in (label, ALL))


def scheme_of(output_format: str) -> Scheme:
    """DASH is `cenc`, which all its players know; Apple's know `cbcs` alone, so that HLS and CMAF are `cbcs`."""
    return "cenc" if output_format.startswith("Dash") else "cbcs"


def quality(width: int, height: int) -> str:
    """`SD`, `HD` or `UHD`."""
    return next(label for label, most in QUALITIES.items() if most is None or width * height <= most)


def labels(managed: DrmManaged) -> list[str]:
    """One for each key."""
    return [*QUALITIES, AUDIO] if managed.multi_key else [ALL]


def key_id_of(job_id: str, label: str) -> UUID:
    """The same at each attempt, so that the key service gives the same key."""
    return uuid5(UUID(job_id), label)
