"""The encoder that not every worker has."""

from functools import cache


@cache
def ten_bit_ffmpeg() -> str | None:
    """An ffmpeg whose x265 encodes 10 bit: that of the usual one does not. None where it is not installed."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return str(get_ffmpeg_exe())
