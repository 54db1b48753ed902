"""`taskcopilot webhook`: endpoints that get events by HTTP."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any, Final

import click
import orjson

from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.render import columns, plain
from taskcopilot.cli.running import with_core
from taskcopilot.clock import iso
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.store import webhooks
from taskcopilot.store.transaction import Tx
from taskcopilot.store.webhooks import Dead, Webhook
from taskcopilot.topics import Pattern

__all__ = ["command"]

_FAILED: Final = 1


def command(_name: str) -> click.Command:
    """Return the group."""
    return _webhook


def _parts(_ctx: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@click.group("webhook")
@database_option
@json_option
def _webhook(**_flags: object) -> None:
    """Send events to HTTP endpoints, signed by the Standard Webhooks specification. The bridge delivers them."""


@_webhook.command("add")
@click.argument("url")
@click.option("--topics", default="*", callback=_parts, help="Patterns, as a comma list. [default: *]")
@click.option("--types", default="", callback=_parts, help="Globs of event types, as a comma list. [default: all]")
@click.option(
    "--format", "form", type=click.Choice(["standard", "slack", "discord", "ntfy"]), default="standard", help="Body."
)
@click.option("--private", is_flag=True, help="Allow http, and addresses of this machine and of private networks.")
@database_option
@json_option
@click.pass_context
def _add(  # noqa: PLR0917 - click's way to hand over options
    ctx: click.Context,
    /,
    url: str,
    topics: tuple[str, ...],
    types: tuple[str, ...],
    form: str,
    private: bool,
    **_flags: object,
) -> None:
    """Send what is committed from now on to URL. The secret is shown once, here."""
    from taskcopilot.web.webhooks.message import new_secret  # noqa: PLC0415 - imports that other commands save
    from taskcopilot.web.webhooks.target import check_url  # noqa: PLC0415

    check_url(url, private=private)
    patterns = tuple(Pattern.parse(topic).text for topic in topics or ("*",))
    secret = new_secret()

    async def run(core: Core) -> str:
        webhook_id = f"wh_{core.clock.new_id().replace('-', '')[:12]}"
        row = Webhook(id=webhook_id, url=url, secret=secret, format=form, topics=patterns, types=types, private=private)
        await core.recorder.record(partial(webhooks.add, webhook=row))
        return webhook_id

    webhook_id = with_core(ctx, run)
    _say(ctx, f"{webhook_id}\nsecret {secret} (it is not shown again)", {"id": webhook_id, "secret": secret})


@_webhook.command("list")
@database_option
@json_option
@click.pass_context
def _list(ctx: click.Context, /, **_flags: object) -> None:
    """List the endpoints."""
    found = with_core(ctx, lambda core: core.database.read(webhooks.listed))
    if wants_json(ctx):
        click.echo(orjson.dumps([_shown(each) for each in found]))
        return
    rows = [_cells(each) for each in found]
    click.echo(columns([("id", "url", "format", "topics", "types", "position", "state"), *rows]))


def _cells(webhook: Webhook) -> tuple[str, ...]:
    state = webhook.disabled or ("retrying" if webhook.attempts else "active")
    wanted = ",".join(webhook.topics), ",".join(webhook.types)
    return webhook.id, plain(webhook.url), webhook.format, *wanted, str(webhook.position), state


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {name: value for name, value in asdict(webhook).items() if name != "secret"}


@_webhook.command("remove")
@click.argument("webhook_id", metavar="ID")
@database_option
@json_option
@click.pass_context
def _remove(ctx: click.Context, /, webhook_id: str, **_flags: object) -> None:
    """Remove an endpoint, with its dead letters."""
    with_core(ctx, lambda core: core.recorder.record(partial(webhooks.remove, webhook_id=webhook_id)))
    _say(ctx, f"{webhook_id} removed", {"id": webhook_id})


@_webhook.command("test")
@click.argument("webhook_id", metavar="ID")
@database_option
@json_option
@click.pass_context
def _test(ctx: click.Context, /, webhook_id: str, **_flags: object) -> int:
    """Send a made-up event of the type webhook.test at once, and say what came of it; exit code 1 when it failed."""
    from taskcopilot.web.webhooks.message import write  # noqa: PLC0415 - imports that other commands save
    from taskcopilot.web.webhooks.sending import Outcome, Sender  # noqa: PLC0415

    async def run(core: Core) -> Outcome:
        webhook = await core.database.read(partial(webhooks.find, webhook_id=webhook_id))
        now = core.clock.now()
        event = Event(0, iso(now), "stream:test", "webhook.test", b'{"message":"a test of the webhook"}')
        message = write(event, core.recorder.epoch, webhook.format, webhook.secret, int(now.timestamp()))
        sender = Sender(private=webhook.private)
        try:
            return await sender.send(webhook, message)
        finally:
            await sender.close()

    outcome = with_core(ctx, run)
    text = "delivered" if outcome.delivered else f"not delivered: {plain(outcome.reason)}"
    _say(ctx, text, {"delivered": outcome.delivered, "reason": outcome.reason})
    return 0 if outcome.delivered else _FAILED


@_webhook.command("dead")
@click.argument("webhook_id", metavar="[ID]", required=False)
@database_option
@json_option
@click.pass_context
def _dead(ctx: click.Context, /, webhook_id: str | None, **_flags: object) -> None:
    """List the events that an endpoint, or any of them, did not take."""
    found = with_core(ctx, lambda core: core.database.read(partial(webhooks.dead, webhook_id=webhook_id)))
    if wants_json(ctx):
        click.echo(orjson.dumps([_letter(each) for each in found]))
        return
    rows = [
        (each.webhook_id, str(each.event.seq), each.event.type, each.failed_at, plain(each.reason)) for each in found
    ]
    click.echo(columns([("id", "seq", "type", "failed at", "reason"), *rows]))


def _letter(dead: Dead) -> dict[str, Any]:
    event = dead.event
    about = {"seq": event.seq, "at": event.at, "topic": event.topic, "type": event.type}
    told = {"id": dead.webhook_id, **about, "reason": dead.reason, "failedAt": dead.failed_at}
    return {**told, "data": orjson.Fragment(event.data)}


@_webhook.command("retry")
@click.argument("webhook_id", metavar="ID")
@click.argument("seqs", metavar="[SEQ]...", type=int, nargs=-1)
@database_option
@json_option
@click.pass_context
def _retry(ctx: click.Context, /, webhook_id: str, seqs: tuple[int, ...], **_flags: object) -> None:
    """Have dead letters tried once more, all of them without SEQ; an endpoint that is disabled is used again."""

    def unit(tx: Tx) -> int:
        return webhooks.resurrect(tx, webhook_id, seqs)

    count = with_core(ctx, lambda core: core.recorder.record(unit))
    _say(ctx, f"{count} will be tried again by the bridge", {"id": webhook_id, "retried": count})


def _say(ctx: click.Context, text: str, facts: dict[str, Any]) -> None:
    click.echo(orjson.dumps(facts) if wants_json(ctx) else text)
