"""What a transport is and how it may fail.

PublishError
├── Unavailable   the other side cannot be reached or is not ready: try again, for as long as it takes
└── Refused       it answered and said no (credentials, missing queue, size): trying again seldom helps
"""

from typing import Protocol

from publishers.events import Message


class PublishError(Exception):
    """An event was not confirmed. The text is for people and holds no secret."""


class Unavailable(PublishError):
    """The receiver cannot be reached, or is not ready to take messages."""


class Refused(PublishError):
    """The receiver answered, and does not take this message or this client."""


class Publisher(Protocol):
    """An open way to one receiver. Errors of third-party libraries never leave it."""

    async def publish(self, message: Message) -> None:
        """Hand over one event; returns once the receiver has confirmed it.

        Raises:
            PublishError: it is not known to have arrived.
        """
