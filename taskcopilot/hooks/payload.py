"""What a hook of Claude Code sends, read with tolerance: only the hook's name and the session have to be there.

Source: the hooks reference, https://code.claude.com/docs/en/hooks (common input fields, and the input of each event):
`session_id`, `cwd`, `hook_event_name`; in subagents `agent_id`, `agent_type`; `task_id`, `task_subject`,
`task_description`, `teammate_name`, `team_name` with TaskCreated and TaskCompleted; `tool_name`, `tool_input`,
`tool_response`, `tool_use_id` with tools. Optional ones may be absent, and `team_name` is announced to go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import orjson

from taskcopilot.errors import InvalidArgumentError

__all__ = ["HOST", "Hook", "clean"]

HOST: Final = "claude-code"
"""The name of the host, and of an agent that has no other."""

_ID_LENGTH: Final = 100
_DETAIL_LENGTH: Final = 500
_MOST_DETAILS: Final = 20

_SAID: Final = frozenset({"prompt", "tool_input", "tool_response", "transcript_path", "agent_transcript_path"})
"""What is not kept of a hook that is only noted: conversations are not ours to store."""

_KNOWN: Final = frozenset({"hook_event_name", "session_id", "cwd", "teammate_name", "team_name", "task_id"})
"""What an activity says in fields of its own, or not at all."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One call of a hook. Texts are cleaned: printable, and short enough to be ids."""

    name: str
    session: str
    payload: Mapping[str, Any]

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Hook:
        """Take a payload; raises InvalidArgumentError that names `hook_event_name` or `session_id`."""
        return cls(_required(payload, "hook_event_name"), _required(payload, "session_id"), payload)

    def text(self, field: str) -> str | None:
        """Return a field as cleaned text; None where it is absent, empty, or neither text nor a number."""
        return clean(self.payload.get(field))

    def object(self, field: str) -> Mapping[str, Any]:
        """Return a field that is an object; an empty one for everything else."""
        value = self.payload.get(field)
        return value if isinstance(value, dict) else {}

    @property
    def team(self) -> str | None:
        """The team that the agent belongs to."""
        return self.text("team_name")

    @property
    def list(self) -> str:
        """The list that the host's task ids count in: the team's, or the session's own."""
        return self.team or self.session

    @property
    def agent(self) -> str:
        """Who did it: the teammate, the kind of subagent, or the session itself."""
        return self.text("teammate_name") or self.text("agent_type") or HOST

    @property
    def project(self) -> str:
        """The last part of the working directory, or of the host's name where that is unknown."""
        return clean(PurePath(self.text("cwd") or "").name) or HOST

    @property
    def key(self) -> str | None:
        """What a repetition of this very call has in common with it, where the host gives an id."""
        identifier = self.text("tool_use_id")
        if identifier is None and self.text("agent_id") is not None:
            identifier = hashlib.sha256(orjson.dumps(self.payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return None if identifier is None else f"hook:{self.session[:40]}:{self.name[:40]}:{identifier}"

    def details(self) -> dict[str, Any]:
        """Return the short plain fields that nothing else tells, at most 20; what was said is left out."""
        found = {
            name: value[:_DETAIL_LENGTH] if isinstance(value, str) else value
            for name, value in self.payload.items()
            if name not in _KNOWN | _SAID and isinstance(value, str | int | float | bool) and len(name) <= _ID_LENGTH
        }
        return dict(list(found.items())[:_MOST_DETAILS])


def clean(value: Any) -> str | None:
    """Return text that may be part of a topic: printable, at most 100 characters. None for what is no text."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    printable = "".join(character if character.isprintable() else " " for character in value[: 4 * _ID_LENGTH])
    return printable.strip()[:_ID_LENGTH].strip() or None


def _required(payload: Mapping[str, Any], field: str) -> str:
    if (text := clean(payload.get(field))) is None:
        raise InvalidArgumentError(f"{field}: expected a text that is not empty", field=field)
    return text
