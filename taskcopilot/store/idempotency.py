"""Remembers the results of calls that carried an idempotency key, in the same transaction as what they changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Remembered", "find", "forget_before", "remember"]

_FIND: Final = "SELECT tool, arguments_hash, result FROM idempotency_keys WHERE key = ?"
_REMEMBER: Final = "INSERT INTO idempotency_keys (key, tool, arguments_hash, result, created_at) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key was used for, and the result that it gave."""

    tool: str
    arguments_hash: str
    result: str


def find(tx: ReadTx, key: str) -> Remembered | None:
    """Return what the key was used for, or None."""
    row = tx.one(_FIND, (key,))
    return None if row is None else Remembered(row["tool"], row["arguments_hash"], row["result"])


def remember(tx: Tx, key: str, call: Remembered) -> None:
    """Keep the result of a call under its key."""
    tx.execute(_REMEMBER, (key, call.tool, call.arguments_hash, call.result, tx.at))


def forget_before(tx: Tx, at: str) -> int:
    """Drop keys older than a moment; returns how many."""
    return tx.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (at,))
