"""Rows of `webhooks` and `webhook_dead`: who gets events by HTTP, how far each is, and what it did not take."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from taskcopilot.clock import iso
from taskcopilot.errors import NotFoundError
from taskcopilot.events import Event
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Dead", "Webhook", "add", "advance", "bury", "dead", "disable", "find", "listed", "postpone", "remove"]
__all__ += ["resurrect", "revived", "settle"]

_COLUMNS: Final = "id, url, secret, format, topics, types, private, position, attempts, due_at, disabled"
_SEPARATOR: Final = "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An endpoint. `types` are globs, none for all; `disabled` is why it gets nothing any more."""

    id: str
    url: str
    secret: str
    format: str
    topics: tuple[str, ...]
    types: tuple[str, ...]
    private: bool
    """True when it may be an address of this machine or of a private network."""
    position: int = 0
    attempts: int = 0
    """Attempts at the first event after the position that it wants."""
    due_at: str | None = None
    disabled: str | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """An event that an endpoint did not take."""

    webhook_id: str
    event: Event
    reason: str
    failed_at: str


def add(tx: Tx, webhook: Webhook) -> None:
    """Add an endpoint that gets what is committed from now on."""
    tx.execute(
        f"INSERT INTO webhooks ({_COLUMNS}, created_at) "  # noqa: S608 - the columns are ours
        "SELECT ?, ?, ?, ?, ?, ?, ?, head, 0, NULL, NULL, ? FROM log_state WHERE id = 1",
        (
            webhook.id,
            webhook.url,
            webhook.secret,
            webhook.format,
            _SEPARATOR.join(webhook.topics),
            _SEPARATOR.join(webhook.types),
            webhook.private,
            tx.at,
        ),
    )


def listed(tx: ReadTx) -> list[Webhook]:
    """Return all endpoints, oldest first."""
    return [_webhook(row) for row in tx.all(f"SELECT {_COLUMNS} FROM webhooks ORDER BY created_at, id")]  # noqa: S608


def find(tx: ReadTx, webhook_id: str) -> Webhook:
    """Return one; raises NotFoundError."""
    row = tx.one(f"SELECT {_COLUMNS} FROM webhooks WHERE id = ?", (webhook_id,))  # noqa: S608
    if row is None:
        raise NotFoundError(f"no webhook {webhook_id!r}", field="id")
    return _webhook(row)


def remove(tx: Tx, webhook_id: str) -> None:
    """Remove one with its dead letters; raises NotFoundError."""
    find(tx, webhook_id)
    tx.execute("DELETE FROM webhook_dead WHERE webhook_id = ?", (webhook_id,))
    tx.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))


def advance(tx: Tx, webhook_id: str, position: int) -> None:
    """Note that everything up to an event is settled."""
    tx.execute(
        "UPDATE webhooks SET position = ?, attempts = 0, due_at = NULL WHERE id = ? AND position < ?",
        (position, webhook_id, position),
    )


def postpone(tx: Tx, webhook_id: str, attempts: int, until: datetime) -> None:
    """Note a failed attempt, and when the next one is due."""
    tx.execute("UPDATE webhooks SET attempts = ?, due_at = ? WHERE id = ?", (attempts, iso(until), webhook_id))


def disable(tx: Tx, webhook_id: str, reason: str) -> None:
    """Let the endpoint get nothing any more."""
    tx.execute("UPDATE webhooks SET disabled = ? WHERE id = ?", (reason, webhook_id))


def bury(tx: Tx, webhook_id: str, event: Event, reason: str) -> None:
    """Put an event among the dead letters and go on behind it."""
    tx.execute(
        "INSERT INTO webhook_dead (webhook_id, seq, at, topic, type, data, reason, failed_at) "
        "SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = ?) "
        "ON CONFLICT (webhook_id, seq) "
        "DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at, again = 0",
        (webhook_id, event.seq, event.at, event.topic, event.type, event.data.decode(), reason, tx.at, webhook_id),
    )
    advance(tx, webhook_id, event.seq)


def dead(tx: ReadTx, webhook_id: str | None = None) -> list[Dead]:
    """Return the dead letters of one endpoint or of all, oldest event first."""
    return [
        Dead(row["webhook_id"], _event(row), row["reason"], row["failed_at"])
        for row in tx.all(
            "SELECT * FROM webhook_dead WHERE webhook_id = coalesce(?, webhook_id) ORDER BY seq, webhook_id",
            (webhook_id,),
        )
    ]


def resurrect(tx: Tx, webhook_id: str, seqs: Sequence[int]) -> int:
    """Have dead letters tried once more, all of them without numbers, and an endpoint that is disabled used again."""
    find(tx, webhook_id)
    tx.execute("UPDATE webhooks SET disabled = NULL, due_at = NULL WHERE id = ?", (webhook_id,))
    if not seqs:
        return tx.execute("UPDATE webhook_dead SET again = 1 WHERE webhook_id = ?", (webhook_id,))
    return sum(
        tx.execute("UPDATE webhook_dead SET again = 1 WHERE webhook_id = ? AND seq = ?", (webhook_id, seq))
        for seq in seqs
    )


def revived(tx: ReadTx, webhook_id: str) -> Event | None:
    """Return the oldest dead letter that is to be tried once more."""
    row = tx.one("SELECT * FROM webhook_dead WHERE webhook_id = ? AND again = 1 ORDER BY seq LIMIT 1", (webhook_id,))
    return None if row is None else _event(row)


def settle(tx: Tx, webhook_id: str, seq: int) -> None:
    """A dead letter was taken after all."""
    tx.execute("DELETE FROM webhook_dead WHERE webhook_id = ? AND seq = ?", (webhook_id, seq))


def _event(row: sqlite3.Row) -> Event:
    return Event(row["seq"], row["at"], row["topic"], row["type"], row["data"].encode())


def _webhook(row: sqlite3.Row) -> Webhook:
    return Webhook(
        id=row["id"],
        url=row["url"],
        secret=row["secret"],
        format=row["format"],
        topics=tuple(row["topics"].split(_SEPARATOR)),
        types=tuple(filter(None, row["types"].split(_SEPARATOR))),
        private=bool(row["private"]),
        position=row["position"],
        attempts=row["attempts"],
        due_at=row["due_at"],
        disabled=row["disabled"],
    )
