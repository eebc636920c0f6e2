"""What a transport is and how it may fail.

PublishError
├── Unavailable   the other side cannot be reached or is not ready: try again, for as long as it takes
├── Unwanted      it has no place for events of this name, which others have: nobody waits for this one
└── Refused       it answered and said no (credentials, missing queue, size): trying again seldom helps
"""

from typing import Any, Protocol

from publishers.events import Message


class PublishError(Exception):
    """An event was not confirmed. The text is for people and holds no secret."""


class Unavailable(PublishError):
    """The receiver cannot be reached, or is not ready to take messages."""


class Unwanted(PublishError):
    """The receiver has a place for each name of an event, and none for this one."""


class Refused(PublishError):
    """The receiver answered, and does not take this message or this client."""


class Connection(Protocol):
    """An open way to one endpoint, blocking, for one thread. Errors of third-party libraries never leave it.

    `config` is a `MessagePublishers` block of the endpoint's type with the same `endpoint`; it says which queue.
    """

    def send(self, config: Any, message: Message) -> None:
        """Hand over one event; returns once the receiver has confirmed it.

        Raises:
            PublishError: it is not known to have arrived.
        """

    def check(self, config: Any) -> None:
        """See whether events could be handed over, without sending one.

        Raises:
            PublishError: they could not.
        """

    def close(self) -> None:
        """End it, politely where that is still possible; raises nothing."""
