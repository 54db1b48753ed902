"""`taskcopilot token`: make, list and revoke the tokens that clients of a bridge show."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from functools import partial
from typing import Any, Final

import click
import orjson

from taskcopilot.auth import tokens
from taskcopilot.auth.access import Access, parse_scopes, parse_topics
from taskcopilot.auth.tokens import StaticToken
from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.running import with_core
from taskcopilot.clock import iso
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.store import access_tokens
from taskcopilot.store.transaction import Tx

__all__ = ["command"]

_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def command(_name: str) -> click.Command:
    """Return the group."""
    return _group


@click.group("token")
@database_option
@json_option
def _group(**_flags: object) -> None:
    """Make, list and revoke the tokens that clients of a bridge show (`serve --auth token`)."""


@_group.command("create")
@click.option("--name", default="", metavar="TEXT", help="What it is for; shown in the list.")
@click.option("--scopes", default="read", metavar="LIST", help="Comma list of read, write, admin. [default: read]")
@click.option("--topics", default="*", metavar="LIST", help="What it may see: patterns, e.g. 'stream:A,task:*'.")
@click.option("--expires", default="30d", metavar="TIME", help="E.g. 90s, 15m, 12h, 30d, or never. [default: 30d]")
@database_option
@json_option
@click.pass_context
def _create(ctx: click.Context, /, name: str, scopes: str, topics: str, expires: str, **_flags: object) -> None:
    """Make a token and print it. It is shown this once: only a hash of it is kept."""
    access = Access(parse_scopes(_list(scopes), "--scopes"), parse_topics(_list(topics)))
    life, text = _duration(expires), tokens.make(secrets.token_bytes)
    made = with_core(ctx, lambda core: core.recorder.record(partial(_add, text, name, access, life)))
    if wants_json(ctx):
        click.echo(orjson.dumps({"token": text, **_described(made)}))
        return
    click.echo(text)
    click.echo(f"token {made.id}, {_summary(made)}; it is not shown again", err=True)


@_group.command("list")
@database_option
@json_option
@click.pass_context
def _list_command(ctx: click.Context, /, **_flags: object) -> None:
    """List the tokens, oldest first. The secrets are not known."""
    found = with_core(ctx, lambda core: core.database.read(access_tokens.listing))
    if wants_json(ctx):
        click.echo(orjson.dumps([_described(token) for token in found]))
        return
    for token in found:
        click.echo(f"{token.id}  ...{token.last4}  {_summary(token)}  {token.name}".rstrip())


@_group.command("revoke")
@click.argument("token_id", metavar="ID")
@click.option("--jwt", is_flag=True, help="ID is the `jti` of a JWT.")
@database_option
@json_option
@click.pass_context
def _revoke(ctx: click.Context, /, token_id: str, jwt: bool, **_flags: object) -> None:
    """Revoke a token, for good. A running bridge closes its connections within five seconds."""
    unit = access_tokens.revoke_jwt if jwt else access_tokens.revoke
    with_core(ctx, lambda core: core.recorder.record(lambda tx: unit(tx, token_id)))
    click.echo(orjson.dumps({"revoked": token_id}) if wants_json(ctx) else f"token {token_id} is revoked")


def _add(text: str, name: str, access: Access, life: timedelta | None, tx: Tx) -> StaticToken:
    presented = tokens.split(text)
    assert presented is not None, "made a line before"  # noqa: S101
    token = StaticToken(
        id=presented.id,
        name=name,
        hash=presented.hash,
        last4=text[-4:],
        access=access,
        created_at=tx.at,
        expires_at=None if life is None else iso(tx.now + life),
    )
    access_tokens.add(tx, token)
    return token


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _duration(text: str) -> timedelta | None:
    if text == "never":
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidArgumentError(f"--expires: {text!r} is no time such as 15m, 12h, 30d or never", field="--expires")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _topics(token: StaticToken) -> list[str]:
    view = token.access.view
    return ["*"] if view is None else sorted(pattern.text for pattern in view.patterns)


def _described(token: StaticToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "last4": token.last4,
        "scopes": sorted(token.access.scopes),
        "topics": _topics(token),
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "revokedAt": token.revoked_at,
    }


def _summary(token: StaticToken) -> str:
    until = f"until {token.expires_at}" if token.expires_at else "for ever"
    end = f"revoked {token.revoked_at}" if token.revoked_at else until
    return f"{','.join(sorted(token.access.scopes))} on {','.join(_topics(token))}, {end}"
