"""What `taskcopilot top` draws: an overview as tables of a terminal. Texts are shown, never obeyed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from taskcopilot.cli.event_lines import gist
from taskcopilot.cli.render import plain
from taskcopilot.cli.top_state import Overview
from taskcopilot.events import Event
from taskcopilot.tools.stream_info import StreamInfo
from taskcopilot.tools.views.activity import AgentActivity

__all__ = ["screen"]

_COLOURS: Final = {
    "completed": "green",
    "in_progress": "blue",
    "blocked": "red",
    "pending": "bright_black",
    "cancelled": "bright_black",
}

_NAMES: Final = {
    "completed": "done",
    "in_progress": "in progress",
    "blocked": "blocked",
    "pending": "to do",
    "cancelled": "cancelled",
}

_BAR: Final = 24
"""Cells of a stream's bar."""

_MINUTE: Final = 60
_HOUR: Final = 3_600


def screen(overview: Overview, rows: int) -> RenderableType:
    """Draw an overview on so many rows; what does not fit is counted, events take what is left."""
    room = max(4, rows - 8)
    streams, blocked, agents = overview.streams, overview.blocked, overview.agents
    parts: list[RenderableType] = [_head(overview)]
    if streams:
        parts.append(_panel("Streams", _streams(overview, streams[: room // 2]), len(streams) - room // 2))
    if blocked:
        reasons = ((task.title, task.blocked_reason or "no reason was given") for task in blocked[: room // 4])
        parts.append(_panel("Blocked", _pairs(reasons, "red"), len(blocked) - room // 4))
    if agents:
        parts.append(_panel("Agents", _agents(overview.at, agents[: room // 4]), len(agents) - room // 4))
    used = 6 + sum(min(len(part), most) + 2 for part, most in _sizes(overview, room))
    parts.append(_panel("Events", _events(overview.events[: max(3, rows - used)]), 0))
    return Group(*parts)


def _sizes(overview: Overview, room: int) -> Iterable[tuple[list[object], int]]:
    shown = ((overview.streams, room // 2), (overview.blocked, room // 4), (overview.agents, room // 4))
    return (([*part], most) for part, most in shown if part)


def _head(overview: Overview) -> Text:
    text = Text(f"{overview.percentage:>3}% ", "bold")
    text.append_text(_bar(overview.counts, max(1, overview.total), 40))
    for status, name in _NAMES.items():
        if count := overview.counts.get(status, 0):
            text.append(f"  {count} {name}", _COLOURS[status])
    text.append(
        f"\n     {plain(overview.workspace)} · event {overview.seq} · {overview.rate} events in the last minute"
    )
    return text


def _panel(title: str, content: RenderableType, left_out: int) -> Panel:
    more = f"and {left_out} more" if left_out > 0 else None
    return Panel(content, title=title, title_align="left", subtitle=more, subtitle_align="right", border_style="dim")


def _grid(*ratios: int) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    for ratio in ratios:
        table.add_column(ratio=ratio or None, no_wrap=True, overflow="ellipsis")
    return table


def _streams(overview: Overview, streams: Iterable[StreamInfo]) -> Table:
    table = _grid(2, 0, 0, 3)
    for stream in streams:
        counts = {
            "completed": stream.completed_tasks,
            "in_progress": stream.in_progress_tasks,
            "blocked": stream.blocked_tasks,
        }
        table.add_row(
            Text(plain(stream.stream_name), "bold"),
            _bar(counts, max(1, stream.total_tasks), _BAR),
            f"{stream.completed_tasks}/{stream.total_tasks}",
            _note(overview, stream),
        )
    return table


def _note(overview: Overview, stream: StreamInfo) -> Text:
    if stream.blocked_reason:
        return Text(plain(stream.blocked_reason), "red")
    if stream.status != "completed" and (needed := overview.waits_for(stream)):
        return Text(plain(f"waits for {', '.join(needed)}"), "bright_black")
    return Text(_NAMES[stream.status], _COLOURS[stream.status])


def _bar(counts: Mapping[str, int], total: int, width: int) -> Text:
    """Draw shares of a whole; every share that is not empty has a cell."""
    bar, left = Text(), width
    for status in ("completed", "in_progress", "blocked"):
        count = counts.get(status, 0)
        cells = min(left, max(1, width * count // total)) if count else 0
        bar.append("━" * cells, _COLOURS[status])
        left -= cells
    return bar.append("─" * left, "bright_black")


def _agents(now: datetime, agents: Iterable[AgentActivity]) -> Table:
    table = _grid(0, 3, 3, 0)
    for agent in agents:
        silent = max(0, int((now - datetime.fromisoformat(agent.last_heartbeat)).total_seconds()))
        table.add_row(
            Text(plain(agent.agent_name), "bold" if agent.is_active else "yellow"),
            Text(plain(agent.task_title)),
            Text(plain(agent.activity_description or ""), "bright_black"),
            f"{_age(silent)} ago",
        )
    return table


def _age(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    return f"{seconds // _MINUTE} min" if seconds < _HOUR else f"{seconds // _HOUR} h"


def _pairs(rows: Iterable[tuple[str, str]], style: str) -> Table:
    table = _grid(2, 3)
    for name, value in rows:
        table.add_row(Text(plain(name), "bold"), Text(plain(value), style))
    return table


def _events(events: Iterable[Event]) -> Table:
    table = _grid(0, 0, 0, 1)
    for event in events:
        style = _COLOURS.get(event.type.rpartition(".")[2], "cyan")
        table.add_row(
            Text(f"{event.seq}", "bright_black"), event.at[11:19], Text(event.type, style), plain(gist(event))
        )
    return table
