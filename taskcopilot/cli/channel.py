"""`taskcopilot channel`: events that wake a session of Claude Code."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from taskcopilot.bridge.options import read as read_options
from taskcopilot.channel.cursor_file import CursorFile
from taskcopilot.channel.handshake import HOST, refusal_of
from taskcopilot.channel.wish import Pace, Wish
from taskcopilot.cli.config_changes import base_of
from taskcopilot.cli.options import database_option, settings_from
from taskcopilot.cli.reading import parse_patterns
from taskcopilot.clock import SystemClock
from taskcopilot.errors import ConflictError
from taskcopilot.logs import configure_log
from taskcopilot.mcp.wire import Wire
from taskcopilot.process import run_until_signal
from taskcopilot.tls.self_signed import files_of

__all__ = ["command"]

_SESSIONS: Final = 99
"""Sessions of one workspace that may be open at once without a name."""

_ASKED_WITHIN: Final = 20
"""Seconds for the host to tell its version."""


def command(_name: str) -> click.Command:
    """Return the command."""
    return _channel


@click.command("channel")
@click.option("--topics", metavar="PATTERNS", multiple=True, help="Only these topics: a comma list, or repeated.")
@click.option(
    "--types", metavar="TYPES", default="task.blocked,task.completed", show_default=True, help="Event types, or globs."
)
@click.option("--session", metavar="NAME", help="Whose cursor it is. [default: the first that nobody uses]")
@click.option("--port", metavar="VALUE", help="Port of the bridge.")
@click.option(
    "--per-minute", type=click.FloatRange(0.1, 6000), default=30.0, show_default=True, help="Notices a minute."
)
@click.option("--burst", type=click.IntRange(1, 1000), default=10, show_default=True, help="Notices at once.")
@click.option(
    "--ca-file",
    envvar="TASKCOPILOT_CA_FILE",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Trust only certificates of these authorities (PEM). [env: TASKCOPILOT_CA_FILE]",
)
@click.option(
    "--token-file",
    envvar="TASKCOPILOT_TOKEN_FILE",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Holds the token to show the bridge; or set TASKCOPILOT_TOKEN. [env: TASKCOPILOT_TOKEN_FILE]",
)
@click.option("--any-host", is_flag=True, help="Send notices whatever host this is.")
@click.option("--check", is_flag=True, help="Tell whether Claude Code here has channels, and exit.")
@database_option
@click.pass_context
def _channel(
    ctx: click.Context, /, *, topics: tuple[str, ...], types: str, session: str | None, port: str | None,
    per_minute: float, burst: int, ca_file: str | None, token_file: str | None, any_host: bool, check: bool,
    **_: object,
) -> None:  # fmt: skip
    """Follow the bridge for a session of Claude Code, which starts this as an MCP server, and wake it with events.

    Goes on where it was when it is started again. Where the host has no channels it says so and exits.
    """
    settings = settings_from(ctx, {"port": port})
    patterns = [pattern.text for pattern in parse_patterns(topics)] or ["*"]
    wanted = sorted(read_options({"filter": {"eventTypes": [each.strip() for each in types.split(",")]}})["types"])
    if check:
        _check()
        return
    configure_log(settings.log_level, settings.log_format)
    workspace = settings.resolve_workspace()
    if ca_file is None and settings.tls_self_signed:
        ca_file = str(files_of(workspace.database).cert)
    wish = Wish(base_of(settings), workspace.id, patterns, wanted, _token(token_file), ca_file)
    file = _claim(workspace.database.parent / "channels", session)
    _run(wish, file, Pace(per_minute, burst), any_host=any_host)


def _token(file: str | None) -> str | None:
    """Return the token to show. There is no flag for it: command lines are seen by all."""
    return Path(file).read_text("utf-8").strip() if file else os.environ.get("TASKCOPILOT_TOKEN")


def _run(wish: Wish, file: CursorFile, pace: Pace, *, any_host: bool) -> None:
    from taskcopilot.channel.child import serve  # noqa: PLC0415 - half a second that --help saves
    from taskcopilot.channel.following import Follower  # noqa: PLC0415
    from taskcopilot.channel.forwarding import Forwarder, Write  # noqa: PLC0415
    from taskcopilot.channel.handshake import Handshake  # noqa: PLC0415

    clock, wire = SystemClock(), Wire.claim()

    async def forward(write: Write) -> None:
        forwarder = Forwarder(write, file, clock, pace)
        since = await asyncio.to_thread(file.load)
        await forwarder.run(Follower(wish, clock, since).heard())

    async def work(stopping: asyncio.Event) -> None:
        conversation = asyncio.create_task(serve(wire, Handshake(any_host=any_host), forward))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({conversation, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        conversation.cancel()
        await asyncio.gather(conversation, return_exceptions=stopping.is_set())

    run_until_signal(work)


def _claim(directory: Path, session: str | None) -> CursorFile:
    if session is not None:
        return CursorFile.claim(directory, session)
    for number in range(1, _SESSIONS):
        try:
            return CursorFile.claim(directory, f"session-{number}")
        except ConflictError:
            continue
    return CursorFile.claim(directory, f"session-{_SESSIONS}")


def _check() -> None:
    """Ask the host for its version: it tells channels apart from nothing else."""
    path = shutil.which("claude")
    if path is None:
        click.echo("no channels here: there is no command 'claude'", err=True)
        return
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_ASKED_WITHIN, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        click.echo(f"no channels here: {error}", err=True)
        return
    if refusal := refusal_of(HOST, asked.stdout.strip()[:64]):
        click.echo(f"no channels here: {refusal}", err=True)
        return
    click.echo(f"claude {asked.stdout.strip()} has channels, where the account and the organisation allow them")
    sys.stdout.flush()
