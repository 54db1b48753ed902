"""`taskcopilot serve`: the bridge."""

from __future__ import annotations

import os
import sqlite3

import click
import orjson

from taskcopilot import __version__
from taskcopilot.app import Ready, run_bridge
from taskcopilot.cli.options import json_option, setting_options, settings_from, wants_json
from taskcopilot.logs import configure_log

__all__ = ["command"]


def command(_name: str) -> click.Command:
    """Return the command."""
    return _serve


@click.command("serve")
@setting_options
@json_option
@click.pass_context
def _serve(ctx: click.Context, /, as_json: bool | None, **flags: str | None) -> None:  # noqa: ARG001 - read from ctx
    """Serve HTTP and WebSocket on one port until Ctrl-C or SIGTERM; the second signal ends it at once.

    With --json one line on standard output tells url and pid as soon as it answers.
    """
    settings = settings_from(ctx, flags)
    configure_log(settings.log_level, settings.log_format)
    run_bridge(settings, _announce_json if wants_json(ctx) else _announce)


def _announce_json(ready: Ready) -> None:
    facts = {"url": ready.url, "pid": os.getpid(), "workspace": ready.workspace, "database": ready.database}
    services = {"services": dict(ready.services)} if ready.services else {}
    tls = {"certificate": str(ready.certificate), "fingerprint": ready.fingerprint} if ready.certificate else {}
    click.echo(orjson.dumps({**facts, "epoch": ready.epoch, **services, **tls}))


def _announce(ready: Ready) -> None:
    facts = (
        ("http", ready.url),
        ("websocket", f"{ready.url.replace('http', 'ws', 1)}/ws"),
        ("workspace", ready.workspace),
        ("database", ready.database),
        ("sqlite", sqlite3.sqlite_version),
        *ready.services.items(),
        *((("certificate", ready.certificate), ("sha-256", ready.fingerprint)) if ready.certificate else ()),
        ("stop", f"Ctrl-C, or kill {os.getpid()}"),
    )
    width = max(10, *(len(name) for name, _ in facts))
    lines = [f"  {name:<{width}} {fact}" for name, fact in facts]
    click.echo("\n".join([click.style(f"Task Copilot Bridge {__version__}", bold=True), *lines]), err=True)
