"""A job on the terminal: a bar per phase, and a line per event as it arrives."""

import errno
import os
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from publishers.events import Message
from workflows.lifecycle import Phase
from workflows.logs import printable

PROGRESS_PHASES = {"AcquisitionProgress": Phase.ACQUISITION, "EncodingProgress": Phase.ENCODING}
TELLING = {
    "JobCreated": ("ContentAcquisitionUriPath",),
    "ContentAcquired": ("TotalFilesCount", "TotalFilesSizeInBytes", "IgnoredFiles"),
    "ContentPreProcessed": ("VideoDurationForPublic", "AudioLanguages", "SubtitleLanguages"),
    "VideoEncodingStarted": ("Bitrates", "OptimizeFor", "OutputFormat"),
    "EncodingProgress": ("Progress", "SpeedFactor", "RemainingSeconds"),
    "AcquisitionProgress": ("Progress",),
    "ImagesExtracted": ("Images",),
    "ImagesExtractionFailure": ("Message",),
    "ContentPublished": ("Type", "TotalFilesCount", "TotalSizeInBytes"),
    "FinalError": ("Code", "Error", "Message"),
}
"""The fields that a line shows of an event."""


class Terminal(Console):
    """Rich ends the process when nobody reads its output; here the caller has a job to take care of first."""

    def on_broken_pipe(self) -> None:
        """See base class."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class JobView(AbstractContextManager["JobView"]):
    """Shows one job. Off a terminal only lines are printed, without control codes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (
            TextColumn("{task.description:<16}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[state]}"),
        )
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks = {phase: self._bars.add_task(phase.value, total=100, state="") for phase in Phase}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show_event(self, event: Message) -> None:
        """Print a line; progress also moves its bar."""
        fields = " ".join(
            f"{name}={event.body[name]}" for name in TELLING.get(event.event_type, ()) if name in event.body
        )
        time = event.body["Timestamp"][11:23]
        line = printable(f"{time} {event.event_type:<22} {fields}".rstrip())
        # A terminal gets lines that break between words, a file or a pipe whole ones.
        self._console.print(line, markup=False, highlight=False, soft_wrap=not self._console.is_terminal)
        if event.progress is not None:
            self._bars.update(self._tasks[PROGRESS_PHASES[event.event_type]], completed=event.progress)

    def show_progress(self, answer: dict[str, Any]) -> None:
        """Move the bars to what the query `progress` says; a bar never goes back."""
        for row in answer["Phases"]:
            task = self._tasks[Phase(row["Name"])]
            completed = max(row["Progress"], self._bars.tasks[task].completed)
            self._bars.update(task, completed=completed, state=row["State"])
