"""Options that commands share, and the settings that come out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from taskcopilot.config import TABLE, Setting, Settings

__all__ = ["database_option", "json_option", "setting_options", "settings_flags", "settings_from", "wants_json"]

Decorator = Callable[[Any], Any]

database_option: Decorator = click.option(
    "--db", metavar="FILE", help="Work on this database file. Also before the command."
)
"""`--db FILE` for every command; the innermost one given counts."""

json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, default=None, help="Print JSON for programs. Errors too."
)
"""`--json` for every command."""


def setting_options(command: Any) -> Any:
    """Give the command an option for every row of the table of settings."""
    for setting in reversed(TABLE):
        command = _setting_option(setting)(command)
    return command


def _setting_option(setting: Setting) -> Decorator:
    if setting.is_switch:
        text = f"{_sentence(setting)} [env: {', '.join(_variables(setting))}=on]"
        return click.option(setting.flag, setting.name, is_flag=True, default=None, help=text)
    default = "" if setting.default in (None, (), {}) else f" [default: {_shown(setting.default)}]"
    return click.option(
        setting.flag,
        setting.name,
        metavar="|".join(setting.choices) or _metavar(setting),
        help=f"{_sentence(setting)}{default} [env: {', '.join(_variables(setting))}]",
    )


def _sentence(setting: Setting) -> str:
    return f"{setting.help[0].upper()}{setting.help[1:]}."


def _shown(default: Any) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def _metavar(setting: Setting) -> str:
    return {"db": "FILE", "base": "DIRECTORY", "workspace": "ID"}.get(setting.name, "VALUE")


def _variables(setting: Setting) -> tuple[str, ...]:
    return (setting.variable, *setting.also)


def settings_from(ctx: click.Context, flags: Mapping[str, Any] | None = None) -> Settings:
    """Combine a command's setting flags, `--db` of any level and the environment.

    Raises InvalidArgumentError that names the flag or the variable at fault.
    """
    return Settings.load(settings_flags(ctx, flags))


def settings_flags(ctx: click.Context, flags: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the command line says of the settings."""
    return {"db": _innermost(ctx, "db"), **{k: v for k, v in (flags or {}).items() if v is not None}}


def wants_json(ctx: click.Context) -> bool:
    """Tell whether `--json` was given, before or after the command."""
    return bool(_innermost(ctx, "as_json"))


def _innermost(ctx: click.Context, name: str) -> Any:
    level: click.Context | None = ctx
    while level is not None:
        if (value := level.params.get(name)) is not None:
            return value
        level = level.parent
    return None
