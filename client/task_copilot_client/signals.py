"""What the connection thread shares with the source that it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from task_copilot_client.clock import Bell

__all__ = ["Signals"]


@dataclass(frozen=True, slots=True)
class Signals:
    """The bell rings when the registry changed, and when one of the first two functions has a new answer."""

    bell: Bell
    stopping: Callable[[], bool]
    """True when the source is to come back as soon as it can."""
    is_full: Callable[[], bool]
    """True while callbacks lag behind so far that nothing more is to be read."""
    settled: Callable[[], None]
    """To be called whenever every subscription that was asked for is answered."""
