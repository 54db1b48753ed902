"""mahavishnu's goal teams. `user_id` is who is told beside everybody in `goal-teams`; it is not delivered."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from taskcopilot.services.event import Identifier, ServiceEvent

__all__ = ["TeamCreated", "TeamError", "TeamExecutionCompleted", "TeamExecutionStarted", "TeamParsed"]

_TEAM: Final = "team:{team_id}"


class _TeamEvent(ServiceEvent):
    about = _TEAM
    goes_to = ("goal-teams:{user_id}", "goal-teams", "global")
    user_id: Annotated[Identifier | None, Field(default=None, exclude=True)]


class TeamCreated(_TeamEvent):
    """A team was put together for a goal."""

    event = "team.created"
    team_id: Identifier
    team_name: str
    goal: str
    mode: str


class TeamParsed(_TeamEvent):
    """A goal was understood; there is no team yet."""

    event = "team.parsed"
    about = "team:parsed"
    goal: str
    intent: str
    skills: list[str]
    confidence: Annotated[float, Field(ge=0, le=1)]


class TeamExecutionStarted(_TeamEvent):
    """A team began a task."""

    event = "team.execution_started"
    team_id: Identifier
    task: Annotated[str, Field(max_length=200)]


class TeamExecutionCompleted(_TeamEvent):
    """A team is done; milliseconds."""

    event = "team.execution_completed"
    team_id: Identifier
    success: bool
    duration_ms: Annotated[float, Field(ge=0)]


class TeamError(_TeamEvent):
    """A team cannot go on."""

    event = "team.error"
    team_id: Identifier
    error_code: str
    message: str
