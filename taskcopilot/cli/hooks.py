"""`taskcopilot hooks`: our hooks in the settings of Claude Code."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import orjson

from taskcopilot.cli.config_changes import base_of, change, dry_run_option, needs_token, token_option
from taskcopilot.cli.options import json_option, settings_from, wants_json
from taskcopilot.hosts import hook_settings
from taskcopilot.hosts.config_file import ConfigFile

__all__ = ["command"]

_NAME: Final = Path(".claude") / "settings.json"


def command(_name: str) -> click.Command:
    """Return the group."""
    return _hooks


def _file_options(run: Any) -> Any:
    where = click.option("--settings", "file", type=click.Path(path_type=Path), help=f"The file. [default: {_NAME}]")
    whose = click.option("--user", is_flag=True, help=f"The file of all projects, ~/{_NAME}.")
    return where(whose(run))


@click.group("hooks")
@json_option
def _hooks(**_flags: object) -> None:
    """Let Claude Code tell the bridge what its agents do by themselves: tasks, teams, todo lists."""


@_hooks.command("install")
@_file_options
@click.option("--port", metavar="VALUE", help="Port of the bridge.")
@token_option
@dry_run_option
@json_option
@click.pass_context
def _install(
    ctx: click.Context, /, *, file: Path | None, user: bool, port: str | None, token: bool, dry_run: bool, **_: object
) -> None:
    """Add the hooks, and show the difference. Nothing else in the file changes; doing it again changes nothing."""
    settings = settings_from(ctx, {"port": port})
    edit = partial(hook_settings.install, base=base_of(settings), token=token or needs_token(settings))
    change(ctx, _path(file, user=user), edit, dry_run=dry_run)


@_hooks.command("remove")
@_file_options
@dry_run_option
@json_option
@click.pass_context
def _remove(ctx: click.Context, /, file: Path | None, user: bool, dry_run: bool, **_: object) -> None:
    """Take out exactly what was added."""
    change(ctx, _path(file, user=user), hook_settings.uninstall, dry_run=dry_run)


@_hooks.command("status")
@_file_options
@json_option
@click.pass_context
def _status(ctx: click.Context, /, file: Path | None, user: bool, **_: object) -> None:
    """Tell which hooks are there, and where they point to."""
    path = _path(file, user=user)
    found = hook_settings.installed(ConfigFile.read(path).text)
    if wants_json(ctx):
        click.echo(orjson.dumps({"file": str(path), "hooks": found}))
        return
    click.echo(f"{path}: {len(found)} of {len(hook_settings.EVENTS)} hooks")
    for event in hook_settings.EVENTS:
        click.echo(f"  {event:<14} {found.get(event, 'not there')}")


def _path(file: Path | None, *, user: bool) -> Path:
    if file is not None and user:
        raise click.UsageError("--settings and --user exclude each other")
    return file or (Path.home() / _NAME if user else _NAME)
