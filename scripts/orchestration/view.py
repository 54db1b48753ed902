"""The live view of a run: one progress bar per stream, drawn from `stream.progress` events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestration.plan import Plan

__all__ = ["View"]


class View:
    """Shows what the events say. Without a terminal it prints one line per change instead of drawing."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[now]}"),
            console=console,
            disable=not console.is_terminal,
        )
        width = max(len(stream.name) for stream in plan.streams)
        self._bars = {
            stream.id: self._progress.add_task(
                stream.name.ljust(width), total=len(stream.steps), start=False, now=_waits_for(stream.needs)
            )
            for stream in plan.streams
        }
        self._names = {stream.id: stream.name for stream in plan.streams}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_event(self, stream_id: str, event_type: str, data: Mapping[str, Any]) -> None:
        """Show an event of one of the plan's streams or of a task in it."""
        bar = self._bars[stream_id]
        match event_type:
            case "stream.started":
                self._progress.start_task(bar)
            case "stream.progress":
                self._progress.update(bar, completed=data["completedTasks"])
            case "task.status_changed" if data["newStatus"] == "in_progress":
                self._progress.update(bar, now=data["taskTitle"])
                self._say(stream_id, data["taskTitle"])
            case "task.blocked":
                self._progress.update(bar, now=f"[red]blocked: {data['taskTitle']}")
                self._progress.stop_task(bar)
                self._say(stream_id, f"blocked: {data['taskTitle']}: {data['blockedReason']}")
            case "stream.completed":
                self._progress.update(bar, now=f"[green]done in {data['duration'] / 1000:.1f} s")
                self._say(stream_id, f"done in {data['duration'] / 1000:.1f} s")
            case _:
                pass

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False, highlight=False)

    def _say(self, stream_id: str, text: str) -> None:
        if not self._console.is_terminal:
            self.note(f"{self._names[stream_id]}: {text}")


def _waits_for(needs: tuple[str, ...]) -> str:
    return f"waits for {', '.join(needs)}" if needs else ""
