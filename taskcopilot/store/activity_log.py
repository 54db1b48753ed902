"""Rows of `activity_log`: the original's diary of an initiative, kept for its readers."""

from __future__ import annotations

from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["initiative_of_prd", "write"]

_INSERT: Final = """
    INSERT INTO activity_log (id, initiative_id, type, entity_id, entity_type, summary, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def initiative_of_prd(tx: ReadTx, prd_id: str | None) -> str | None:
    """Return the initiative that a PRD belongs to, or None."""
    return tx.value("SELECT initiative_id FROM prds WHERE id = ?", (prd_id,)) if prd_id else None


def write(tx: Tx, initiative_id: str | None, *, kind: str, entity_type: str, entity_id: str, summary: str) -> None:
    """Add a row; what belongs to no initiative leaves no trace here, as in the original."""
    if initiative_id is not None:
        tx.execute(_INSERT, (tx.new_id(), initiative_id, kind, entity_id, entity_type, summary, tx.at))
