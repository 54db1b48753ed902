"""`taskcopilot top`: the dashboard in a terminal, with or without a running bridge.

The bus only wakes the reader; what is drawn is read from the store, so nothing piles up however much happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click
import orjson

from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.running import with_core
from taskcopilot.cli.top_state import read
from taskcopilot.core import Core
from taskcopilot.events import Event

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]

LEAST: Final = 0.25
"""Seconds between two drawings, however much happens."""

MOST: Final = 1.0
"""Seconds after which it is drawn again though nothing happened: ages go on."""

_QUIT: Final = frozenset(b"qQ\x03\x1b")


def command(_name: str) -> click.Command:
    """Return the command."""
    return _top


@click.command("top")
@database_option
@json_option
@click.pass_context
def _top(ctx: click.Context, /, **_flags: object) -> None:
    """Watch streams, blocked tasks, agents and events, until q or Ctrl-C.

    Without a terminal, and with --json, it prints the state once. Works whether a bridge runs or not.
    """
    if wants_json(ctx):
        with_core(ctx, _print_json)
        return
    console = _console(colour=ctx.color)
    with_core(ctx, lambda core: _watch(core, console) if console.is_terminal else _print(core, console), follow=True)


def _console(*, colour: bool | None) -> Console:
    """Return the terminal; rich is an extra, because a server has no use for it."""
    try:
        from rich.console import Console  # noqa: PLC0415 - see above
    except ImportError:
        raise click.ClickException("top needs rich: pip install rich") from None
    return Console(no_color=colour is False, highlight=False, markup=False)


async def _print_json(core: Core) -> None:
    click.echo(orjson.dumps((await read(core)).as_json()).decode())


async def _print(core: Core, console: Console) -> None:
    from taskcopilot.cli.top_screen import screen  # noqa: PLC0415 - needs rich

    console.print(screen(await read(core), rows=40))


async def _watch(core: Core, console: Console) -> None:
    """Draw until somebody quits."""
    from rich.live import Live  # noqa: PLC0415

    from taskcopilot.cli.top_screen import screen  # noqa: PLC0415

    over, changed = asyncio.Event(), asyncio.Event()

    def wake(_events: Sequence[Event]) -> None:
        changed.set()

    subscription = core.bus.subscribe(wake)
    try:
        with _keys(over), Live(screen=True, auto_refresh=False, console=console) as live:
            while not over.is_set():
                changed.clear()
                live.update(screen(await read(core), rows=console.height), refresh=True)
                await _first(over, within=LEAST)
                await _first(over, changed, within=MOST)
    finally:
        subscription.close()


async def _first(*events: asyncio.Event, within: float) -> None:
    """Return when one of the events is set, or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


@contextlib.contextmanager
def _keys(over: asyncio.Event) -> Iterator[None]:
    """Set the event when a key asks for the end. Keys are read one by one and not shown meanwhile."""
    if not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415 - not everywhere
    import tty  # noqa: PLC0415

    stdin, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(stdin)

    def read_keys() -> None:
        if not _QUIT.isdisjoint(os.read(stdin, 32) or b"q"):
            over.set()

    tty.setcbreak(stdin)
    loop.add_reader(stdin, read_keys)
    try:
        yield
    finally:
        loop.remove_reader(stdin)
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
