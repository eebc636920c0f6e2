import re
from dataclasses import replace
from pathlib import Path

from activities.text import TextFile, to_webvtt

CUE = "1\n00:00:01,000 --> 00:00:02,500\n{}\n\n"
TIMING = re.compile(r"([\d:.]+) --> ([\d:.]+) ?(.*)")


class Reader:
    """Converts content of one format. `length`: of the film, in milliseconds."""

    def __init__(self, folder: Path, kind: str, *, length: int | None = None) -> None:
        self._file = TextFile(folder / "file", "the name", kind, length=length)

    def __call__(self, content: str | bytes, language: str = "und") -> str:
        self._file.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return to_webvtt(replace(self._file, language=language))

    def cues(self, content: str | bytes, language: str = "und") -> list[tuple[str, str, str, str]]:
        """Start, end, settings and text of each cue."""
        blocks = (block.strip().partition("\n") for block in self(content, language).split("\n\n"))
        found = ((TIMING.fullmatch(first), text) for first, _, text in blocks)
        return [(match[1], match[2], match[3], text) for match, text in found if match]

    def texts(self, content: str | bytes, language: str = "und") -> list[str]:
        return [cue[3] for cue in self.cues(content, language)]
