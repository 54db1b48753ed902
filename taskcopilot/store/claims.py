"""Rows of `task_claims`: who holds a task, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Claim", "find", "hold", "release"]

_HOLD: Final = """
    INSERT INTO task_claims (task_id, agent, claimed_at, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (task_id) DO UPDATE SET
        agent = excluded.agent, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An agent's hold on a task, good until `expires_at`."""

    agent: str
    claimed_at: str
    expires_at: str


def find(tx: ReadTx, task_id: str) -> Claim | None:
    """Return the claim that is in force; an expired one is none."""
    row = tx.one(
        "SELECT agent, claimed_at, expires_at FROM task_claims WHERE task_id = ? AND expires_at > ?", (task_id, tx.at)
    )
    return None if row is None else Claim(**dict(row))


def hold(tx: Tx, task_id: str, claim: Claim) -> None:
    """Put a claim in force, whatever was there before."""
    tx.execute(_HOLD, (task_id, claim.agent, claim.claimed_at, claim.expires_at))


def release(tx: Tx, task_id: str) -> None:
    """End the claim on a task, if there is one."""
    tx.execute("DELETE FROM task_claims WHERE task_id = ?", (task_id,))
