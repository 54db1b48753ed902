"""What a channel is asked for: which events of which bridge, and how fast the session wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Pace", "Wish"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Where the bridge is, the token to show there, what makes it trusted, and which events are wanted of it."""

    url: str
    workspace: str
    topics: Sequence[str]
    types: Sequence[str]
    token: str | None = None
    ca_file: str | None = None
    """The authorities (PEM) that the bridge's certificate has to come from; by default those of the system."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Notices a minute in the long run, and how many may come at once."""

    per_minute: float
    burst: int
