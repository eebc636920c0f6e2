"""Looks at something again and again, beside the test."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Looking(ABC):
    """Looks inside the block, in a thread.

    Args:
        interval: seconds between two looks.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(self._interval):
            self._look()

    @abstractmethod
    def _look(self) -> None:
        """Once."""
