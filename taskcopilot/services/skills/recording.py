"""Recording what skills do: the invocation, the counters, and whether the skill is unusual now, in one unit of work."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from taskcopilot.clock import iso
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.model import Identifier
from taskcopilot.recorder import Recorder
from taskcopilot.services.service import parse
from taskcopilot.services.skills.detector import Deviation, Sample, deviation
from taskcopilot.services.skills.ticks import moment
from taskcopilot.services.skills.windows import Edges, Moved, edges_at, moved
from taskcopilot.store import skills
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Invocation", "SkillRecorder", "decay", "has_decayed", "record"]


class Invocation(BaseModel):
    """One use of a skill, over and done with."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    skill_name: Identifier
    completed: bool
    duration_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    session_id: Identifier | None = None
    workflow_phase: Identifier | None = None
    error_type: Identifier | None = None
    invoked_at: Annotated[str, StringConstraints(max_length=64)] | None = None
    """ISO 8601, UTC where it does not say; by default the moment of the unit."""


class SkillRecorder:
    """Records invocations in this process. May be called by any number of tasks at once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def record(self, skill_name: str, *, completed: bool, **more: Any) -> dict[str, Any]:
        """Record an invocation and return the skill's row of the dashboard; `more` are the fields of Invocation.

        Raises InvalidArgumentError that names the field, and what the recorder raises; then nothing was changed.
        """
        data = {"skill_name": skill_name, "completed": completed, **more}
        return await self._recorder.record(partial(_record, parse(Invocation, data)))


def record(tx: Tx, invocation: Invocation, *, time_field: str = "invoked_at") -> dict[str, Any]:
    """Add an invocation and return the skill's row of the dashboard.

    Raises InvalidArgumentError for its time, under the name that the caller has for it.
    """
    at = _invoked_at(invocation.invoked_at, tx.now, time_field)
    decay(tx)
    skills.add_invocation(tx, invocation.model_dump() | {"invoked_at": at, "completed": int(invocation.completed)})
    _look_at(tx, invocation.skill_name)
    return skills.state(tx, invocation.skill_name)


def has_decayed(tx: ReadTx) -> bool:
    """Tell whether something has left a window since the counters were counted."""
    return any(skills.has_moved(tx, change.after, change.up_to) for change in _moved(tx))


def decay(tx: Tx) -> None:
    """Let the counters end at the moment of the unit, and look again at the skills of which something left."""
    touched = {name for change in _moved(tx) for name in skills.take(tx, *change)}
    skills.set_windows(tx, astuple(edges_at(tx.now)))
    for name in sorted(touched):
        _look_at(tx, name)


def _moved(tx: ReadTx) -> list[Moved]:
    counted = skills.windows(tx)
    return [] if counted is None else list(moved(Edges(*counted), edges_at(tx.now)))


def _look_at(tx: Tx, skill: str) -> None:
    """Find out whether a skill is unusual now. What goes on is one anomaly, of which the newest size is kept."""
    counted = skills.counts(tx, skill)
    found = deviation(*_samples(counted))
    known = skills.open_anomaly(tx, skill)
    if known is not None and (found is None or found.kind != known["anomaly_type"]):
        skills.resolve_anomaly(tx, known["id"])
        known = None
    if found is not None:
        _keep(tx, skill, found, known)
    if found is not None or counted["is_anomalous"]:
        skills.mark(tx, skill, None if found is None else found.score)


def _keep(tx: Tx, skill: str, found: Deviation, known: dict[str, Any] | None) -> None:
    values = (found.baseline, found.observed, found.score)
    if known is None:
        skills.add_anomaly(tx, skill, found.kind, values)
    else:
        skills.change_anomaly(tx, known["id"], values)


def _samples(counted: dict[str, Any]) -> tuple[Sample, Sample]:
    """Return the last hour and the day before it."""
    current = Sample(counted["invocation_count_1h"], counted["completed_count_1h"])
    both = Sample(counted["invocation_count_25h"], counted["completed_count_25h"])
    return current, Sample(both.count - current.count, both.completed - current.completed)


def _invoked_at(text: str | None, now: datetime, field: str) -> str:
    if text is None:
        return iso(now)
    at = moment(text)
    if at is None:
        raise InvalidArgumentError(f"{field}: expected a time in ISO 8601", field=field)
    if at > now:
        raise InvalidArgumentError(f"{field}: that is yet to come", field=field)
    return iso(at)


def _record(invocation: Invocation, tx: Tx) -> dict[str, Any]:
    return record(tx, invocation)
