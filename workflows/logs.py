"""What the service writes to its log, and what it does not."""

import logging
from typing import Any

from temporalio.runtime import Runtime, TelemetryConfig

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# They log what they raise, with stack traces and at times with credentials; what is raised is told by the publishers.
SILENCED = ("azure", "boto3", "botocore", "pika", "urllib3")


def printable(text: str) -> str:
    """One line that says what it says: what a job contains must steer neither a terminal nor who reads a log."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Lines(logging.Formatter):
    """One line a record; those of a stack trace are indented: nothing that a client has named looks like one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging has given it
        """See base class."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the same
        """See base class."""
        return "\n".join(f"  {printable(line)}" for line in super().formatException(ei).splitlines())


def log_to_stderr(level: str) -> None:
    """From `level` (`INFO`, …) on; libraries whose errors are told otherwise stay silent.

    Raises:
        ValueError: there is no such level.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(FORMAT))
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"ENCODING_LOG_LEVEL is {level!r}; it must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def keep_core_silent() -> None:
    """Temporal's core writes to standard error by itself: not where a person watches a job. Before any connection."""
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
