"""The tokens that clients show, as they are stored: hashes, never secrets."""

from __future__ import annotations

import sqlite3
from typing import Final

import orjson

from taskcopilot.auth.access import Access, Scope, View, parse_topics
from taskcopilot.auth.tokens import StaticToken
from taskcopilot.errors import NotFoundError
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["add", "listing", "revoke", "revoke_jwt", "revoked_ids"]

_COLUMNS: Final = "id, name, hash, last4, scopes, topics, created_at, expires_at, revoked_at"


def add(tx: Tx, token: StaticToken) -> None:
    """Store a new token."""
    tx.execute(
        f"INSERT INTO access_tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        (
            token.id,
            token.name,
            token.hash,
            token.last4,
            orjson.dumps(sorted(token.access.scopes)).decode(),
            _topics(token.access.view),
            token.created_at,
            token.expires_at,
            token.revoked_at,
        ),
    )


def listing(tx: ReadTx) -> list[StaticToken]:
    """Return all static tokens, oldest first, revoked and expired ones too."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM access_tokens WHERE hash IS NOT NULL ORDER BY created_at, id"  # noqa: S608
    )
    return [_token(row) for row in rows]


def revoked_ids(tx: ReadTx) -> frozenset[str]:
    """Return the ids of all that is revoked, those of JWTs too."""
    return frozenset(row["id"] for row in tx.all("SELECT id FROM access_tokens WHERE revoked_at IS NOT NULL"))


def revoke(tx: Tx, token_id: str) -> None:
    """Revoke a static token, for good; one that is revoked stays so. Raises NotFoundError for an unknown id."""
    if not tx.execute(
        "UPDATE access_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND hash IS NOT NULL",
        (tx.at, token_id),
    ):
        raise NotFoundError(f"Unknown token: {token_id}", field="id")


def revoke_jwt(tx: Tx, token_id: str) -> None:
    """Revoke the JWT that has this `jti`, whoever issued it."""
    tx.execute(
        "INSERT INTO access_tokens (id, name, hash, last4, scopes, created_at, revoked_at) "
        "VALUES (?, 'JWT', NULL, '', '[]', ?, ?) ON CONFLICT (id) DO NOTHING",
        (token_id, tx.at, tx.at),
    )


def _topics(view: View | None) -> str | None:
    return None if view is None else orjson.dumps(sorted(pattern.text for pattern in view.patterns)).decode()


def _token(row: sqlite3.Row) -> StaticToken:
    values = dict(row)
    scopes, topics = orjson.loads(values.pop("scopes")), values.pop("topics")
    access = Access(frozenset(map(Scope, scopes)), None if topics is None else parse_topics(orjson.loads(topics)))
    return StaticToken(**values, access=access)
