"""session-buddy-realtime: live metrics of skills, in a protocol of their own (rooms/skills_protocol.py)."""

from __future__ import annotations

from typing import Final

from taskcopilot.services.service import Service

__all__ = ["ALL", "SERVICE", "audience_of"]

ALL: Final = "all"

SERVICE: Final = Service(
    name="session-buddy-realtime",
    port=8765,
    greeting="Connected to Session-Buddy real-time metrics",
    channels=(ALL, "skill:{skill}"),
    events=(),
    protocol="skills",
)


def audience_of(skill: str | None) -> str:
    """Return the name under which `service_rooms` counts who listens to a skill, or to all."""
    return ALL if skill is None else f"skill:{skill}"
