"""The bases and the shared field types of tool inputs and outputs."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field, RootModel, StringConstraints

from taskcopilot.events import TaskStatus
from taskcopilot.model import OF_JSON, Identifier, Omittable, WireModel

__all__ = [
    "LARGEST",
    "OF_JSON",
    "AnyInteger",
    "CheckpointTrigger",
    "Identifier",
    "Metadata",
    "Omittable",
    "TaskStatus",
    "Text",
    "Title",
    "ToolInput",
    "ToolList",
    "ToolOutput",
    "WorkProductType",
    "WriteInput",
]

T = TypeVar("T")

LARGEST = 2**63 - 1
"""The largest whole number that the database holds."""

AnyInteger = Annotated[int, Field(ge=-LARGEST, le=LARGEST), OF_JSON]
"""A whole number that means something to the caller only."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
"""A line for people."""

Text = Annotated[str, StringConstraints(max_length=1_000_000)]
"""Prose of any sensible length."""

Metadata = dict[str, Any]
"""A JSON object whose keys belong to the caller, but for those that the contract gives a meaning."""

WorkProductType = Literal[
    "technical_design", "implementation", "test_plan", "security_review", "documentation", "architecture", "other"
]

CheckpointTrigger = Literal["auto_status", "auto_subtask", "manual", "error", "auto_recovery"]


class ToolInput(WireModel):
    """The arguments of a tool: exactly the names of the contract, nothing else."""

    model_config = ConfigDict(validate_by_name=False)


class WriteInput(ToolInput):
    """The arguments of a tool that changes state."""

    idempotency_key: Annotated[str | None, StringConstraints(min_length=1, max_length=200)] = Field(
        default=None,
        description="Any text, unique to this call: repeating the call with it changes nothing and answers the same.",
    )


class ToolOutput(WireModel):
    """The answer of a tool."""


class ToolList(RootModel[list[T]], Generic[T]):
    """The answer of a tool that lists: a bare JSON array."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)
