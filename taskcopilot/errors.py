"""The error tree: each class knows its stable code and its HTTP status.

    BridgeError
    ├── InvalidArgumentError        a field is missing, unknown, of the wrong type or out of range
    │   └── InvalidPatternError     a subscription pattern breaks the grammar
    ├── NotFoundError               an id is unknown
    ├── ConflictError               the state does not allow it
    │   ├── ClaimedError            another agent holds the task
    │   └── IdempotencyConflictError  the key was used with other arguments
    ├── StoreError                  the database did not take it
    │   ├── StoreBusyError          another process holds the lock; nothing was changed
    │   ├── StoreFullError          no space left; nothing was changed
    │   ├── StoreCorruptError       the file is no sound database
    │   └── OutcomeUnknownError     the commit failed with an I/O error: saved or not, nobody knows
    ├── RefusedError                the request is not welcome (origin, host, media type, size)
    │   └── TooManyRequestsError    the rate is over its limit
    └── PortTakenError              somebody else listens on our port

Errors carry fields; `details` is what goes on the wire beside code and message.
"""

from __future__ import annotations

from math import ceil
from typing import Any

__all__ = [
    "BridgeError",
    "ClaimedError",
    "ConflictError",
    "IdempotencyConflictError",
    "InvalidArgumentError",
    "InvalidPatternError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PortTakenError",
    "RefusedError",
    "StoreBusyError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "TooManyRequestsError",
]


class BridgeError(Exception):
    """Base of all errors that callers are meant to see."""

    code: str = "INTERNAL"
    status: int = 500

    def __init__(self, message: str, *, field: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.details: dict[str, Any] = details


class InvalidArgumentError(BridgeError):
    """A field is missing, unknown, of the wrong type or out of range; `field` names it."""

    code = "INVALID_ARGUMENT"
    status = 400


class InvalidPatternError(InvalidArgumentError):
    """A subscription pattern breaks the grammar of `topics.py`."""


class NotFoundError(BridgeError):
    """An id is unknown; `field` names the argument that held it."""

    code = "NOT_FOUND"
    status = 404


class ConflictError(BridgeError):
    """The present state does not allow the call."""

    code = "CONFLICT"
    status = 409


class ClaimedError(ConflictError):
    """Another agent holds the task; details: `holder`, `leaseExpiresAt`."""

    code = "CLAIMED"


class IdempotencyConflictError(ConflictError):
    """The idempotency key was used before with another tool or other arguments."""

    code = "IDEMPOTENCY_CONFLICT"


class StoreError(BridgeError):
    """The database did not take the call."""

    code = "STORE_ERROR"


class StoreBusyError(StoreError):
    """Another process held the database for longer than the busy time-out; nothing was changed."""

    code = "STORE_BUSY"
    status = 503


class StoreFullError(StoreError):
    """No space left on the device; nothing was changed. Writes work again as soon as there is space."""

    code = "STORE_FULL"
    status = 507


class StoreCorruptError(StoreError):
    """The file is not a sound database; it is left as it was found."""

    code = "STORE_CORRUPT"


class OutcomeUnknownError(StoreError):
    """The commit failed with an I/O error: the change may or may not be in the log.

    Repeat the call with the same idempotency key to find out.
    """

    code = "OUTCOME_UNKNOWN"


class RefusedError(BridgeError):
    """The request is not welcome: foreign origin or host, wrong media type, too large."""

    def __init__(self, message: str, *, code: str, status: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code
        self.status = status


class TooManyRequestsError(RefusedError):
    """The rate is over its limit; details: `retryAfter`, whole seconds until it is worth trying again."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message, code="TOO_MANY_REQUESTS", status=429, retryAfter=max(1, ceil(wait)))


class PortTakenError(BridgeError):
    """Somebody else listens on the port that we were told to use."""

    code = "PORT_TAKEN"
