"""`taskcopilot watch`: print events as they happen, with or without a running bridge.

The bus only wakes the reader; what is printed comes from the log, in order. So there is no gap and no duplicate
between history and present, and a slow terminal makes nothing pile up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.cli.event_lines import EventPrinter
from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.reading import LogReader, parse_patterns
from taskcopilot.cli.running import with_core
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.topics import Pattern

__all__ = ["command"]


def command(_name: str) -> click.Command:
    """Return the command."""
    return _watch


@click.command("watch")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--since", metavar="CURSOR", help="First print what happened after this number, or <epoch>:<number>.")
@database_option
@json_option
@click.pass_context
def _watch(ctx: click.Context, /, patterns: tuple[str, ...], since: str | None, **_flags: object) -> None:
    """Print events as they happen, until Ctrl-C. Patterns are topics, or globs such as 'task:*'; by default all.

    Works whether a bridge runs or not. With --json one envelope of the socket per line.
    """
    cursor = None if since is None else Cursor.parse(since)
    parsed, printer = parse_patterns(patterns), EventPrinter(as_json=wants_json(ctx))
    with_core(ctx, lambda core: _follow(core, parsed, cursor, printer), follow=True)


async def _follow(core: Core, patterns: Sequence[Pattern], since: Cursor | None, printer: EventPrinter) -> None:
    """Print from the cursor, or from now on. Registered on the bus before the head is noted."""
    committed = asyncio.Event()

    def wake(_events: Sequence[Event]) -> None:
        committed.set()

    subscription = core.bus.subscribe(wake)
    try:
        reader = LogReader(core, patterns, core.recorder.head)
        if since is not None and (gap := await reader.start(since)):
            printer.gap(gap)
        while True:
            committed.clear()
            async for gap, events in reader.pages():
                if gap:
                    printer.gap(gap)
                for event in events:
                    printer.event(event)
            await committed.wait()
    finally:
        subscription.close()
