"""What may start, and when all is over: decided from events alone, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.plan import Plan, Stream

__all__ = ["Schedule"]


class Schedule:
    """The state of a run. Fed with events, asked for what to do next; not thread-safe, one thread owns it."""

    def __init__(self, plan: Plan) -> None:
        self._waiting = {stream.id: stream for stream in plan.streams}
        self._running: set[str] = set()
        self.completed: set[str] = set()
        self.blocked: dict[str, list[str]] = {}
        """Stream -> the titles of its blocked tasks, with their reasons."""

    def ready(self) -> list[Stream]:
        """Return the streams whose dependencies are complete, and count them as running from now on."""
        free = [stream for stream in self._waiting.values() if self.completed.issuperset(stream.needs)]
        for stream in free:
            del self._waiting[stream.id]
            self._running.add(stream.id)
        return free

    def on_event(self, stream_id: str, event_type: str, data: Mapping[str, Any]) -> None:
        """Take an event of one of the plan's streams or of a task in it."""
        match event_type:
            case "stream.completed":
                self._running.discard(stream_id)
                self.completed.add(stream_id)
            case "task.blocked":
                self._running.discard(stream_id)
                self.blocked.setdefault(stream_id, []).append(f"{data['taskTitle']}: {data['blockedReason']}")
            case _:
                pass

    @property
    def is_over(self) -> bool:
        """True when nothing runs and nothing can start any more."""
        startable = any(self.completed.issuperset(stream.needs) for stream in self._waiting.values())
        return not self._running and not startable

    @property
    def never_started(self) -> list[str]:
        """The streams that still wait for one that will not complete."""
        return list(self._waiting)
