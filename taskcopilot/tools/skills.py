"""skill_record: how the use of a skill went, for the live metrics of session-buddy-realtime."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from taskcopilot.services.skills.recording import Invocation, record
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.fields import Identifier, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool

__all__ = ["TOOLS", "SkillRecord", "SkillState", "skill_record"]


class SkillRecord(WriteInput):
    """Arguments of skill_record."""

    skill_name: Identifier = Field(description="name of the skill, such as pytest-run")
    completed: bool = Field(description="false when it failed or was given up")
    duration_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    session_id: Identifier | None = None
    workflow_phase: Identifier | None = None
    error_type: Identifier | None = None
    invoked_at: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="ISO 8601, UTC where it does not say; by default now"
    )


class SkillState(ToolOutput):
    """Answer of skill_record: the skill's row of the dashboard. Rates are percentages, times in seconds."""

    skill_name: str
    last_invocation_at: str
    invocation_count_1h: int = Field(alias="invocationCount1h")
    invocation_count_24h: int = Field(alias="invocationCount24h")
    avg_completion_rate_24h: float | None = Field(alias="avgCompletionRate24h")
    is_anomalous: bool
    anomaly_score: float | None
    total_invocations: int
    completion_rate: float
    avg_duration_seconds: float | None


def skill_record(tx: Tx, call: SkillRecord) -> SkillState:
    """Record that a skill was used, and tell its totals, its last hour and day, and whether it is unusual now.

    A skill is unusual while the share of its last hour that completed is 2 standard deviations or more off that of the
    day before; that takes 2 invocations in the hour and 5 in the day.
    """
    invocation = Invocation(**call.model_dump(exclude={"idempotency_key"}, by_alias=False))
    state = record(tx, invocation, time_field="invokedAt")
    return SkillState(**{**state, "is_anomalous": bool(state["is_anomalous"])})


TOOLS: Final = (Tool(name="skill_record", input=SkillRecord, output=SkillState, run=skill_record, writes=True),)
