"""agent_handoff and agent_chain_get: a task goes from agent to agent, with a work product and a word."""

from __future__ import annotations

import sqlite3
from typing import Final

from pydantic import Field

from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.events import AgentHandoff as AgentHandoffEvent
from taskcopilot.store import activity_log, handoffs, tasks, work_products
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.fields import AnyInteger, Identifier, Text, ToolInput, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.tasks import require_task
from taskcopilot.tools.text import utf16_length

__all__ = ["TOOLS", "agent_chain_get", "agent_handoff"]

MAX_CONTEXT: Final = 50
"""UTF-16 units of a handoff's context: a word, the rest is in the work product."""


class AgentHandoff(WriteInput):
    """Arguments of agent_handoff."""

    task_id: Identifier
    from_agent: Identifier
    to_agent: Identifier
    work_product_id: Identifier
    handoff_context: Text = Field(description="at most 50 characters; the work product holds the rest")
    chain_position: AnyInteger
    chain_length: AnyInteger


class AgentHandedOff(ToolOutput):
    """Answer of agent_handoff."""

    id: str
    task_id: str
    from_agent: str
    to_agent: str
    chain_position: int
    chain_length: int
    created_at: str


def agent_handoff(tx: Tx, call: AgentHandoff) -> AgentHandedOff:
    """Hand a task from one agent to the next in its chain, with the work product that the next one needs."""
    _check(tx, call)
    task = require_task(tx, call.task_id, field="taskId")
    handoff_id = handoffs.insert(
        tx,
        task_id=task.id,
        from_agent=call.from_agent,
        to_agent=call.to_agent,
        work_product_id=call.work_product_id,
        context=call.handoff_context,
        position=call.chain_position,
        length=call.chain_length,
    )
    activity_log.write(
        tx,
        activity_log.initiative_of_prd(tx, task.prd_id),
        kind="agent_handoff",
        entity_type="agent_handoff",
        entity_id=handoff_id,
        summary=f"{call.from_agent} -> {call.to_agent}: {call.handoff_context}",
    )
    tx.emit(_event(tx, call, handoff_id))
    return AgentHandedOff(
        id=handoff_id,
        task_id=task.id,
        from_agent=call.from_agent,
        to_agent=call.to_agent,
        chain_position=call.chain_position,
        chain_length=call.chain_length,
        created_at=tx.at,
    )


def _check(tx: ReadTx, call: AgentHandoff) -> None:
    if (length := utf16_length(call.handoff_context)) > MAX_CONTEXT:
        raise InvalidArgumentError(
            f"handoffContext: {length} characters, at most {MAX_CONTEXT} are allowed", field="handoffContext"
        )
    if not 1 <= call.chain_position <= call.chain_length:
        raise InvalidArgumentError(
            f"chainPosition: expected 1 to chainLength ({call.chain_length})", field="chainPosition"
        )
    if work_products.find(tx, call.work_product_id) is None:
        raise NotFoundError(f"Work product not found: {call.work_product_id}", field="workProductId")


def _event(tx: Tx, call: AgentHandoff, handoff_id: str) -> AgentHandoffEvent:
    return AgentHandoffEvent(
        handoff_id=handoff_id,
        task_id=call.task_id,
        from_agent=call.from_agent,
        to_agent=call.to_agent,
        chain_position=call.chain_position,
        chain_length=call.chain_length,
        handoff_context=call.handoff_context,
        work_product_id=call.work_product_id,
        handoff_at=tx.at,
    )


class AgentChainGet(ToolInput):
    """Arguments of agent_chain_get."""

    task_id: Identifier


class Handoff(ToolOutput):
    """One link of the chain."""

    id: str
    from_agent: str
    to_agent: str
    work_product_id: str
    handoff_context: str
    chain_position: int
    chain_length: int
    created_at: str


class ChainWorkProduct(ToolOutput):
    """A work product of the task, and the agent that handed it on."""

    id: str
    type: str
    title: str
    agent: str


class AgentChain(ToolOutput):
    """Answer of agent_chain_get."""

    task_id: str
    chain_length: int
    handoffs: list[Handoff]
    work_products: list[ChainWorkProduct]


def agent_chain_get(tx: ReadTx, call: AgentChainGet) -> AgentChain:
    """Read the chain of agents that a task went through, and its work products."""
    require_task(tx, call.task_id, field="taskId")
    rows = handoffs.chain(tx, call.task_id)
    agents = {row["work_product_id"]: row["from_agent"] for row in reversed(rows)}
    return AgentChain(
        task_id=call.task_id,
        chain_length=rows[0]["chain_length"] if rows else 1,
        handoffs=[Handoff(**dict(row)) for row in rows],
        work_products=[_product(row, agents) for row in tasks.work_product_briefs(tx, call.task_id)],
    )


def _product(row: sqlite3.Row, agents: dict[str, str]) -> ChainWorkProduct:
    return ChainWorkProduct(id=row["id"], type=row["type"], title=row["title"], agent=agents.get(row["id"], "unknown"))


TOOLS: Final = (
    Tool(name="agent_handoff", input=AgentHandoff, output=AgentHandedOff, run=agent_handoff, writes=True),
    Tool(name="agent_chain_get", input=AgentChainGet, output=AgentChain, run=agent_chain_get),
)
