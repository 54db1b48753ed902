"""`taskcopilot wait`: block until something happens, print it, exit. What shell scripts need."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import click

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.cli.event_lines import EventPrinter
from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.reading import LogReader
from taskcopilot.cli.running import with_core
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.topics import Selector

__all__ = ["command"]

TIMED_OUT: Final = 124
"""The exit code of timeout(1)."""


def command(_name: str) -> click.Command:
    """Return the command."""
    return _wait


@click.command("wait")
@click.argument("pattern")
@click.option("--type", "event_type", default="*", metavar="GLOB", help="Only this type, e.g. task.completed.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait at most; by default for ever.")
@click.option("--since", metavar="CURSOR", help="Also take an event that happened after this number.")
@database_option
@json_option
@click.pass_context
def _wait(
    ctx: click.Context, /, pattern: str, event_type: str, timeout: float | None, since: str | None, **_flags: object
) -> int:
    """Wait for the next event that matches PATTERN, print it, and exit with 0; with 124 when the time is over."""
    cursor = None if since is None else Cursor.parse(since)
    selector, printer = Selector.of(pattern, frozenset({event_type})), EventPrinter(as_json=wants_json(ctx))

    async def run(core: Core) -> int:
        try:
            async with asyncio.timeout(timeout):
                printer.event(await _next(core, selector, cursor))
        except TimeoutError:
            return TIMED_OUT
        return 0

    return with_core(ctx, run, follow=True)


async def _next(core: Core, selector: Selector, since: Cursor | None) -> Event:
    """Return the first event that matches, from the cursor on, or from now on."""
    committed = asyncio.Event()

    def wake(_events: Sequence[Event]) -> None:
        committed.set()

    subscription = core.bus.subscribe(wake)
    try:
        reader = LogReader(core, [selector.pattern], core.recorder.head)
        if since is not None:
            await reader.start(since)
        while True:
            committed.clear()
            async for _, events in reader.pages():
                for event in events:
                    if selector.wants_type(event.type):
                        return event
            await committed.wait()
    finally:
        subscription.close()
