"""`taskcopilot doctor`, `backup` and `restore`: looking after the database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import orjson

from taskcopilot.cli.options import database_option, json_option, settings_from, wants_json
from taskcopilot.cli.running import with_core
from taskcopilot.clock import SystemClock
from taskcopilot.core import Core
from taskcopilot.store import backup as copies
from taskcopilot.store.doctor import Finding, examine

__all__ = ["command"]

_UNSOUND: Final = 1


def command(name: str) -> click.Command:
    """Return the command."""
    return {"doctor": _doctor, "backup": _backup, "restore": _restore}[name]


@click.command("doctor")
@database_option
@json_option
@click.pass_context
def _doctor(ctx: click.Context, /, **_flags: object) -> int:
    """Check the database: the file, its references, the event log, and the streams. Exit code 1 when it is not sound.

    Only reads, also while a bridge runs.
    """

    async def run(core: Core) -> list[Finding]:
        return await core.database.read(examine)

    findings = with_core(ctx, run)
    if wants_json(ctx):
        click.echo(orjson.dumps([{"check": found.check, "problems": found.problems} for found in findings]))
    else:
        for found in findings:
            click.echo(f"{'ok ' if not found.problems else 'BAD'}  {found.check}")
            for problem in found.problems:
                click.echo(f"     {problem}")
    return _UNSOUND if any(found.problems for found in findings) else 0


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@database_option
@json_option
@click.pass_context
def _backup(ctx: click.Context, /, file: Path, **_flags: object) -> None:
    """Write a consistent copy of the database to FILE, also while it is in use."""
    size = copies.back_up(settings_from(ctx).resolve_workspace().database, file)
    _say(ctx, f"{size} bytes written to {file}", {"file": str(file), "bytes": size})


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@database_option
@json_option
@click.pass_context
def _restore(ctx: click.Context, /, file: Path, **_flags: object) -> None:
    """Put FILE in the place of the database; nobody may have it open.

    The log gets a new epoch: clients with a cursor from before are told that events are gone. What is replaced is kept.
    """
    database = settings_from(ctx).resolve_workspace().database
    replaced = copies.restore(file, database, SystemClock())
    kept = "" if replaced is None else f"; what was there before is {replaced}"
    found = {"database": str(database), "replaced": None if replaced is None else str(replaced)}
    _say(ctx, f"{database} restored from {file}{kept}", found)


def _say(ctx: click.Context, text: str, found: Mapping[str, object]) -> None:
    click.echo(orjson.dumps(found) if wants_json(ctx) else text)
