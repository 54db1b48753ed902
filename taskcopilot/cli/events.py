"""`taskcopilot events`: print the event log."""

from __future__ import annotations

import click

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.cli.event_lines import EventPrinter
from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.reading import LogReader, parse_patterns
from taskcopilot.cli.running import with_core
from taskcopilot.core import Core

__all__ = ["command"]


def command(_name: str) -> click.Command:
    """Return the command."""
    return _events


@click.command("events")
@click.option("--since", metavar="CURSOR", help="Only events after this number, or <epoch>:<number>.")
@click.option("--topics", metavar="PATTERNS", multiple=True, help="Only these topics: a comma list, or repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many events.")
@database_option
@json_option
@click.pass_context
def _events(
    ctx: click.Context, /, since: str | None, topics: tuple[str, ...], limit: int | None, **_flags: object
) -> None:
    """Print the event log, oldest first. With --json one envelope of the socket per line."""
    cursor = Cursor(None, 0) if since is None else Cursor.parse(since)
    patterns, printer = parse_patterns(topics), EventPrinter(as_json=wants_json(ctx))

    async def run(core: Core) -> None:
        left = limit
        reader = LogReader(core, patterns, 0)
        if since is not None and (gap := await reader.start(cursor)):
            printer.gap(gap)
        async for gap, events in reader.pages():
            if gap and since is not None:
                printer.gap(gap)
            for event in events[:left]:
                printer.event(event)
            left = None if left is None else left - len(events)
            if left is not None and left <= 0:
                return

    with_core(ctx, run)
