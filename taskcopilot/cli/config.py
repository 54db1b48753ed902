"""`taskcopilot config show`: every setting, its value, and where that comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from taskcopilot.cli.options import database_option, json_option, setting_options, settings_flags, wants_json
from taskcopilot.cli.render import columns
from taskcopilot.config import TABLE, Address, origins

__all__ = ["command"]

_MASK = "********"


def command(_name: str) -> click.Command:
    """Return the group."""
    return _config


@click.group("config")
@database_option
@json_option
def _config(**_flags: object) -> None:
    """Look at the settings."""


@_config.command("show")
@setting_options
@click.option("--origin", is_flag=True, help="Also tell where each value comes from.")
@json_option
@click.pass_context
def _show(ctx: click.Context, /, origin: bool, **flags: Any) -> None:
    """Print every setting as `serve` would have it with the same flags and variables; secrets are masked."""
    flags.pop("as_json")
    found = origins(settings_flags(ctx, flags))
    rows = [(setting, *found[setting.name]) for setting in TABLE]
    if wants_json(ctx):
        told = [
            {"name": setting.name, "value": _MASK if setting.is_secret and value else _plain(value), "origin": source}
            for setting, value, source in rows
        ]
        click.echo(orjson.dumps(told))
        return
    shown = [(each.name, _MASK if each.is_secret and value else _text(value), source) for each, value, source in rows]
    head = ("setting", "value", "comes from")
    click.echo(columns([row if origin else row[:2] for row in (head, *shown)]))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    match value:
        case Path():
            return str(value)
        case Mapping():
            return {name: _text(item) for name, item in value.items()}
        case tuple() | list():
            return list(value)
        case _:
            return value


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:g}"
        case Address():
            return f"{value.port}" if value.host is None else f"{value.host}:{value.port}"
        case Mapping():
            return ",".join(f"{name}={_text(item)}" for name, item in value.items()) or "-"
        case tuple() | list():
            return ",".join(map(str, value)) or "-"
        case _:
            return str(value)
