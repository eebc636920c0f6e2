"""Runs ffmpeg: its progress, its exits and what they mean."""

import re
from collections.abc import Callable

from temporalio import activity

from activities.errors import EncodingError
from activities.machine import FAULTS
from activities.media.faults import fault_of
from activities.media.process import Exit, StalledError, run
from activities.settings import Settings

NOT_THERE, STOPPED = 254, 255
PASSING = {
    NOT_THERE: "{subject} is not in the work folder of this worker; all workers must share one ENCODING_WORK_ROOT, "
    "or have an ENCODING_WORK_STORE",
    STOPPED: "the encoder of {subject} was asked to stop from outside; check who ends processes on the worker",
}
"""Exits that are not the content's fault; others are 256 less the number of an error of the system."""
MICROSECONDS = re.compile(r"[0-9]{1,18}")
"""Before the first picture ffmpeg tells a negative time, or none."""
OnSeconds = Callable[[float], None]
"""Called with the seconds of film that are done."""


async def run_ffmpeg(command: list[str], subject: str, on_seconds: OnSeconds = lambda _: None) -> int:
    """Run to the end, and return the number of pictures in the first output.

    Args:
        command: all arguments.
        subject: names the client's file in messages.
        on_seconds: is told how far it is.

    Raises:
        EncodingError: it failed; `retryable` where that was not the content's fault.
    """
    progress = _Progress(on_seconds)
    try:
        ended = await run(
            command,
            progress.read,
            # Its time is that of the output that is behind: of a text that has not begun, it tells none.
            stalled=lambda: (progress.value, progress.frames),
            stall_timeout=Settings.from_environment().stall_timeout,
        )
    except StalledError as error:
        raise EncodingError(f"the encoder of {subject} was stopped: {error}", retryable=True) from None
    if ended.status:
        activity.logger.warning("ffmpeg ended with status %s: %s", ended.status, ended.errors)
        raise _failure(ended, subject)
    return progress.frames


class _Progress:
    """Reads `-progress`: `key=value` lines, a record ends with the key `progress`."""

    def __init__(self, on_seconds: OnSeconds) -> None:
        self.value = 0
        """microseconds"""
        self.frames = 0
        self._on_seconds = on_seconds

    def read(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key == "out_time_us" and MICROSECONDS.fullmatch(value):
            self.value = max(self.value, int(value))
            self._on_seconds(self.value / 1_000_000)
        elif key == "frame" and value.isdecimal():
            self.frames = int(value)


def _failure(ended: Exit, subject: str) -> EncodingError:
    if ended.is_too_large:
        return EncodingError(
            f"the encoder of {subject} would write a larger file than it may; see ENCODING_TOOL_FILE_GB"
        )
    passing = PASSING.get(ended.status, "").format(subject=subject) or FAULTS.get(256 - ended.status)
    if fault := fault_of(ended, f"the encoder of {subject}") or passing:
        return EncodingError(fault, retryable=True)
    if "Rematrix is needed" in ended.errors:
        return EncodingError(
            f"{subject} has channels that stand for no known places, so that they cannot be mixed; "
            "replace it by one with a usual layout, as stereo or 5.1, or by mono tracks"
        )
    return EncodingError(f"{subject} cannot be decoded: it is damaged or incomplete; replace it")
