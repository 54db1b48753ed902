"""What the agents' short ids stand for."""

from __future__ import annotations

from typing import Final

__all__ = ["agent_name"]

_NAMES: Final = {
    "me": "Engineer",
    "ta": "Tech Architect",
    "qa": "QA Engineer",
    "sec": "Security",
    "doc": "Documentation",
    "do": "DevOps",
    "sd": "Service Designer",
    "uxd": "UX Designer",
    "uids": "UI Designer",
    "uid": "UI Developer",
    "cw": "Copywriter",
}


def agent_name(agent_id: str) -> str:
    """Return the name to show for an agent; an unknown id stands for itself."""
    return _NAMES.get(agent_id, agent_id)
