"""Rows of `agent_handoffs`: the chain of agents that a task went through."""

from __future__ import annotations

import sqlite3
from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["chain", "insert"]

_INSERT: Final = """
    INSERT INTO agent_handoffs
        (id, task_id, from_agent, to_agent, work_product_id, handoff_context, chain_position, chain_length, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_CHAIN: Final = """
    SELECT id, from_agent, to_agent, work_product_id, handoff_context, chain_position, chain_length, created_at
    FROM agent_handoffs WHERE task_id = ? ORDER BY chain_position, created_at, id
"""


def insert(
    tx: Tx,
    *,
    task_id: str,
    from_agent: str,
    to_agent: str,
    work_product_id: str,
    context: str,
    position: int,
    length: int,
) -> str:
    """Add a link to the chain and return its id."""
    handoff_id = tx.new_id("HO")
    row = (handoff_id, task_id, from_agent, to_agent, work_product_id, context, position, length, tx.at)
    tx.execute(_INSERT, row)
    return handoff_id


def chain(tx: ReadTx, task_id: str) -> list[sqlite3.Row]:
    """Return the chain of a task, in its order."""
    return tx.all(_CHAIN, (task_id,))
