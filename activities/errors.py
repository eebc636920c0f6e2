"""The documented failure codes, and the errors that carry them from an activity to the client.

JobError
├── PrevalidationError   5003   the description is invalid, or a location is out of reach
├── AcquisitionError     1000   the content could not be acquired or mapped
├── EncodingError        2000   encoding, packaging or a content problem
└── PublishingError      3000   the output could not be delivered
A LostError has the code of the activity that it happens to.
Anything else that leaves an activity is an internal error (5000).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class ErrorCode(Enum):
    """Contract, section 4."""

    ACQUISITION = (1000, "Acquisition Error")
    ENCODING = (2000, "Encoding Error")
    PUBLISHING = (3000, "Publishing Error")
    INTERNAL = (5000, "Internal Error")
    CANCELLED = (5001, "Job Cancelled")
    PREVALIDATION = (5003, "Prevalidation Error")

    def __init__(self, number: int, title: str) -> None:
        self.number = number
        self.title = title

    @classmethod
    def titled(cls, title: str | None) -> "ErrorCode":
        """The code whose error name is `title`; an unknown name is an internal error."""
        return next((code for code in cls if code.title == title), cls.INTERNAL)


@dataclass(frozen=True)
class ErrorDetails:
    """What crosses from activity to workflow besides the message."""

    code: int
    error: str


class JobError(Exception):
    """A failure with a documented code.

    Args:
        message: what a person can act on; never a secret.
        retryable: whether the same attempt may succeed later (a busy disk, a killed process).
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class LostError(JobError):
    """What other activities have made is no longer there, or is damaged: only making it anew helps.

    Args:
        lost: paths in the workspace.
        code: of the activity that needs it.
    """

    def __init__(self, lost: Sequence[str], *, code: ErrorCode, retryable: bool = False) -> None:
        names = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")  # noqa: PLR2004
        super().__init__(
            f"the work store has lost, or holds damaged, what the job has made ({names}); look at the store, "
            "and start the job again",
            retryable=retryable,
        )
        self.lost = [*lost]
        self.code = code


class PrevalidationError(JobError):
    """5003."""

    code = ErrorCode.PREVALIDATION


class AcquisitionError(JobError):
    """1000."""

    code = ErrorCode.ACQUISITION


class EncodingError(JobError):
    """2000."""

    code = ErrorCode.ENCODING


class PublishingError(JobError):
    """3000."""

    code = ErrorCode.PUBLISHING
