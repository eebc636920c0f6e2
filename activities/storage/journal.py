"""Notes in the workspace that outlive the process: what of an upload has been done already."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from activities.storage.base import Kept

NOTE = TypeAdapter(tuple[str, str, str])


class Journal:
    """Notes about files, by name; a file with one JSON array `[name, key, value]` a line, only ever appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._notes: dict[str, dict[str, str]] = {}
        text = path.read_text(errors="replace") if path.exists() else ""
        for line in text.splitlines():
            with suppress(ValueError):  # a line that a killed process did not end, or a disk has lost
                name, key, value = NOTE.validate_json(line)
                self._notes.setdefault(name, {})[key] = value
        self._line_end = "\n" if text and not text.endswith("\n") else ""

    def about(self, name: str) -> Kept:
        """The notes about one file."""
        return _Notes(self, name)

    def read(self, name: str) -> dict[str, str]:
        """What is noted about a file."""
        return self._notes.get(name, {})

    def write(self, name: str, key: str, value: str) -> None:
        """Note something; an empty value takes a note back."""
        with self._lock:
            self._notes.setdefault(name, {})[key] = value
            line, self._line_end = f"{self._line_end}{json.dumps([name, key, value])}\n", "\n"
            with self._path.open("a") as file:
                file.write(line)
            self._line_end = ""  # else the disk may have taken a part of it

    def forget(self, key: str) -> None:
        """Take a note back, of every file."""
        for name in [name for name, notes in self._notes.items() if notes.get(key)]:
            self.write(name, key, "")


class _Notes(Kept):
    def __init__(self, journal: Journal, name: str) -> None:
        self._journal = journal
        self._name = name

    def __getitem__(self, key: str) -> str:
        if value := self._journal.read(self._name).get(key):
            return value
        raise KeyError(key)

    def __setitem__(self, key: str, value: str) -> None:
        self._journal.write(self._name, key, value)

    def __delitem__(self, key: str) -> None:
        self._journal.write(self._name, key, "")

    def __iter__(self) -> Iterator[str]:
        notes = self._journal.read(self._name).copy()  # lanes write beside
        return iter([key for key, value in notes.items() if value])

    def __len__(self) -> int:
        return len(list(iter(self)))
