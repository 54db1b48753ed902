"""How long a conversation may go on: until its token ends, after a warning that lets it show a fresh one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from taskcopilot.auth.identity import Identity

__all__ = ["Lease", "Step"]

WARNING: Final = timedelta(seconds=30)
"""How long before the end of a token its bearer is warned."""

GRACE: Final = timedelta(seconds=2)
"""How long after a revocation was noticed the bearer may still show another token."""


class Step(Enum):
    """What is to be done now."""

    NOTHING = auto()
    WARN = auto()
    END = auto()


@dataclass(slots=True)
class Lease:
    """The token that a conversation goes on with; None while none was shown."""

    identity: Identity | None
    show_by: datetime
    """Until when it may go on without one."""
    _warned: bool = False
    _until: datetime | None = None

    def renew(self, identity: Identity) -> None:
        """Go on with a fresh token."""
        self.identity, self._warned, self._until = identity, False, None

    @property
    def is_revoked(self) -> bool:
        """True when the end comes from a revocation."""
        return self._until is not None

    def step(self, now: datetime, is_revoked: Callable[[Identity], bool]) -> Step:
        """Say what is due; a warning is due once. To be asked about once a second."""
        if self.identity is None:
            return Step.END if now >= self.show_by else Step.NOTHING
        if self._until is None and is_revoked(self.identity):
            self._until = now + GRACE
            return Step.WARN
        if self.identity.is_expired(now) or (self._until is not None and now >= self._until):
            return Step.END
        expires = self.identity.expires_at
        if not self._warned and expires is not None and now >= expires - WARNING:
            self._warned = True
            return Step.WARN
        return Step.NOTHING
