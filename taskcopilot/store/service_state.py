"""Rows of `service_state`: what the events of a service add up to, one JSON document per thing."""

from __future__ import annotations

from typing import Any, Final

import orjson

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["count", "find", "newest", "prune", "remove", "save"]

_SAVE: Final = """
    INSERT INTO service_state (service, kind, id, document, seq, updated_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (service, kind, id) DO UPDATE SET
        document = excluded.document, seq = excluded.seq, updated_at = excluded.updated_at
"""

_PRUNE: Final = """
    DELETE FROM service_state WHERE service = ? AND kind = ? AND seq < (
        SELECT seq FROM service_state WHERE service = ? AND kind = ? ORDER BY seq DESC LIMIT 1 OFFSET ?
    )
"""

Document = dict[str, Any]


def find(tx: ReadTx, service: str, kind: str, identifier: str) -> Document | None:
    """Return a document, or None for an id that no event has named yet."""
    found = tx.value(
        "SELECT document FROM service_state WHERE service = ? AND kind = ? AND id = ?", (service, kind, identifier)
    )
    return None if found is None else _decoded(found)


def newest(tx: ReadTx, service: str, kind: str, limit: int, *, skip: int = 0) -> list[Document]:
    """Return the documents of a kind that changed last, newest first, after the first `skip` of them."""
    rows = tx.all(
        "SELECT document FROM service_state WHERE service = ? AND kind = ? ORDER BY seq DESC, id LIMIT ? OFFSET ?",
        (service, kind, limit, skip),
    )
    return [_decoded(row["document"]) for row in rows]


def count(tx: ReadTx, service: str, kind: str) -> int:
    """Return how many documents of a kind there are."""
    return int(tx.value("SELECT count(*) FROM service_state WHERE service = ? AND kind = ?", (service, kind)))


def save(tx: Tx, service: str, kind: str, identifier: str, document: Document, *, seq: int) -> None:
    """Keep a document as of an event, whatever was there before."""
    tx.execute(_SAVE, (service, kind, identifier, orjson.dumps(document).decode(), seq, tx.at))


def remove(tx: Tx, service: str, kind: str, identifier: str) -> None:
    """Forget a document, if there is one."""
    tx.execute("DELETE FROM service_state WHERE service = ? AND kind = ? AND id = ?", (service, kind, identifier))


def prune(tx: Tx, service: str, kind: str, keep: int) -> int:
    """Forget all but the documents of a kind that changed last; returns how many went."""
    return tx.execute(_PRUNE, (service, kind, service, kind, keep - 1))


def _decoded(text: str) -> Document:
    document: Document = orjson.loads(text)
    return document
