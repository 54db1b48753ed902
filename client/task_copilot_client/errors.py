"""The error tree: fields, not strings.

TaskCopilotError
├── SubscriptionError      the bridge refused a subscription, or did not answer in time
├── EventsLostError        an iterator was too slow, and the server keeps no log
├── ToolError              the bridge refused a tool call
└── UnreachableError       nobody answers there, or not in a language that we know; also a ConnectionError
    ├── AuthenticationError  the bridge wants a token, or another one
    ├── CertificateError   whoever answers there cannot prove to be the bridge
    └── NoEventLogError    an HTTP server without GET /api/events
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "NO_ANSWER",
    "AuthenticationError",
    "CertificateError",
    "EventsLostError",
    "NoEventLogError",
    "SubscriptionError",
    "TaskCopilotError",
    "ToolError",
    "UnreachableError",
]

NO_ANSWER: Final = "NO_ANSWER"
"""The code of a SubscriptionError when the bridge said nothing at all within the time allowed."""


class TaskCopilotError(Exception):
    """Base of all errors of this package."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SubscriptionError(TaskCopilotError):
    """A subscription is not in force, and nothing of it is registered.

    `code` is the bridge's (`WS_INVALID_TOPIC`, `WS_SUBSCRIPTION_LIMIT`, ...) or NO_ANSWER; `field` is what the bridge
    blames, e.g. `topics.0`; `topics` are those of the refused registration.
    """

    def __init__(self, message: str, *, code: str, field: str | None = None, topics: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.topics = topics

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class EventsLostError(TaskCopilotError):
    """An iterator was slower than the events of a server that keeps no log: some are gone. Iterating may go on."""


class ToolError(TaskCopilotError):
    """A tool call was refused.

    `code` is stable, `status` is the HTTP status, `field` names the argument at fault where one is, and `details` holds
    whatever else the bridge told, e.g. `holder` and `leaseExpiresAt` of a claimed task.
    """

    def __init__(
        self, message: str, *, code: str, status: int, field: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.field = field
        self.details: dict[str, Any] = details or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class UnreachableError(TaskCopilotError, ConnectionError):
    """Nobody answers at the address, not in time, or with something that no bridge says.

    A tool call that ends so may or may not have been carried out: repeat it with the same `idempotencyKey`.
    """


class CertificateError(UnreachableError):
    """The certificate is of no authority that is trusted, of another name, or not valid now. Nothing was sent."""


class AuthenticationError(UnreachableError):
    """The bridge answers, and lets nobody in without a good token: none was shown, or one that is not good (any more).

    Nothing was carried out.
    """


class NoEventLogError(UnreachableError):
    """The server is up but has no `GET /api/events`: one of the original kind, whose tasks can be polled instead."""
