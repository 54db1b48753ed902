"""Events as lines: the envelope of the socket for programs, one readable line for people."""

from __future__ import annotations

import sys
from typing import Any, Final

import click
import orjson

from taskcopilot.bridge.cursor import Gap
from taskcopilot.bridge.protocol import encode_event
from taskcopilot.cli.render import plain
from taskcopilot.events import Event

__all__ = ["EventPrinter", "gist"]

_COLOURS: Final = {
    "blocked": "red",
    "completed": "green",
    "started": "cyan",
    "created": "cyan",
    "expired": "yellow",
    "heartbeat": "bright_black",
    "progress": "bright_black",
}
"""Last word of the event type -> colour."""


class EventPrinter:
    """Prints events to standard output, each line flushed. Raises BrokenPipeError when nobody reads them."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._colour = sys.stdout.isatty() and click.get_current_context().color is not False

    def event(self, event: Event) -> None:
        """Print an event."""
        self._print(encode_event(event).decode() if self._as_json else self._line(event))

    def gap(self, gap: Gap) -> None:
        """Print that events are gone."""
        if self._as_json:
            self._print(orjson.dumps({"type": "gap", "payload": gap.as_json()}).decode())
        else:
            click.echo(f"events {gap.first} to {gap.last} are no longer in the log", err=True)

    def _line(self, event: Event) -> str:
        kind = f"{event.type:<19}"
        if self._colour and (colour := _COLOURS.get(event.type.rpartition(".")[2])):
            kind = click.style(kind, fg=colour)
        return f"{event.seq:>6}  {event.at[11:19]}  {kind}  {plain(event.topic)}  {plain(gist(event))}".rstrip()

    def _print(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def gist(event: Event) -> str:
    """Say in a few words what happened; what the topic says already is left out."""
    data: dict[str, Any] = orjson.loads(event.data)
    match event.type:
        case "task.status_changed":
            said = f"{data['oldStatus']} -> {data['newStatus']}"
        case "task.updated":
            said = ", ".join(change["field"] for change in data["changes"]) or "nothing changed"
        case "stream.progress":
            said = f"{data['completedTasks']}/{data['totalTasks']} ({data['progressPercentage']:.0f}%)"
        case "agent.handoff":
            said = f"-> {data['toAgent']}: {data['handoffContext']}"
        case _:
            said = data.get("blockedReason") or data.get("agentName") or data.get("trigger") or ""
    return "  ".join(filter(None, (said, data.get("taskTitle") or data.get("streamName") or data.get("taskId"))))
