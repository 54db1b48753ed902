"""initiative_wipe: delete what belongs to an initiative."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.store import belongings, initiatives
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.fields import Identifier, ToolOutput, WriteInput
from taskcopilot.tools.initiatives import require_initiative, write_diary
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_events import report_progress

__all__ = ["TOOLS", "InitiativeWipe", "InitiativeWiped", "initiative_wipe"]


class InitiativeWipe(WriteInput):
    """Arguments of initiative_wipe."""

    confirm: bool = Field(description="must be true")
    initiative_id: Identifier | None = Field(default=None, description="by default the current initiative")


class InitiativeWiped(ToolOutput):
    """Answer of initiative_wipe."""

    initiative_id: str
    deleted_prds: int
    deleted_tasks: int
    deleted_work_products: int
    deleted_activity_logs: int


def initiative_wipe(tx: Tx, call: InitiativeWipe) -> InitiativeWiped:
    """Delete all PRDs, tasks, subtasks, work products, checkpoints and the diary of an initiative, for good.
    The initiative itself stays.

    All of it or nothing. What belongs to another initiative, or to none, is not touched. Streams that lost tasks report
    their new progress.
    """
    if not call.confirm:
        raise InvalidArgumentError("confirm: must be true, because nothing brings the data back", field="confirm")
    initiative = require_initiative(tx, call.initiative_id)
    wiped = belongings.wipe(tx, initiative.id)
    write_diary(tx, initiative.id, "initiative_wiped", f"Wiped all data for initiative: {initiative.title}")
    for stream_id in wiped.streams:
        report_progress(tx, stream_id)
    initiatives.forget_ended_runs(tx, wiped.streams)
    return InitiativeWiped(
        initiative_id=initiative.id,
        deleted_prds=wiped.prds,
        deleted_tasks=wiped.tasks,
        deleted_work_products=wiped.work_products,
        deleted_activity_logs=wiped.activity,
    )


TOOLS: Final = (
    Tool(
        name="initiative_wipe",
        input=InitiativeWipe,
        output=InitiativeWiped,
        run=initiative_wipe,
        writes=True,
        destructive=True,
    ),
)
