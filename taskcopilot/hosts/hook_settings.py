"""Our hooks in the settings file of Claude Code.

Source: https://code.claude.com/docs/en/hooks: `hooks` holds for each event a list of groups, each with an optional
`matcher` and its `hooks`; one of `"type": "http"` is POSTed to, and an answer that is late or an error does not block.
SessionStart is not among ours: it takes no hooks of that type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.hosts import json_edit

__all__ = ["EVENTS", "install", "installed", "uninstall"]

EVENTS: Final[dict[str, str | None]] = {
    "TaskCreated": None,
    "TaskCompleted": None,
    "TeammateIdle": None,
    "SubagentStop": None,
    "SessionEnd": None,
    "PostToolUse": "TodoWrite|TaskCreate|TaskUpdate",
}
"""The events that we listen to, and of which tools."""

_HOOKS: Final = "hooks"
_URL: Final = re.compile(r"https?://[^/]+/hooks/claude-code")
_TIMEOUT: Final = 5
"""Seconds that the host waits at most; we answer within 50 ms."""


def install(text: str | None, base: str, *, token: bool) -> str:
    """Return the file with our hooks, pointing to a bridge; the same text when they are there. None stands for no file.

    Hooks of ours that point elsewhere are moved. Raises InvalidArgumentError for what is no settings file.
    """
    hook = _hook(base, token=token)
    for event, matcher in EVENTS.items():
        group = ({} if matcher is None else {"matcher": matcher}) | {_HOOKS: [hook]}
        if text is None:
            text = json_edit.create((_HOOKS, event), [group])
        elif not (places := [place for place in _ours(text) if place[1] == event]):
            text = json_edit.add(text, (_HOOKS, event), group, to_array=True)
        else:
            text = _moved(text, places, hook)
    return text or ""


def uninstall(text: str | None) -> str | None:
    """Return the file without our hooks; None when there is nothing else in it that was there before."""
    while text is not None and (places := list(_ours(text))):
        _, event, group, index = places[-1]
        alone = len(json_edit.read(text)[_HOOKS][event][group][_HOOKS]) == 1
        text = json_edit.remove(text, (_HOOKS, event, group) if alone else (_HOOKS, event, group, _HOOKS, index))
    return text


def installed(text: str | None) -> dict[str, str]:
    """Return event -> url of the hooks of ours that are there."""
    if text is None:
        return {}
    content = json_edit.read(text)
    return {event: content[_HOOKS][event][group][_HOOKS][place]["url"] for _, event, group, place in _ours(text)}


def _hook(base: str, *, token: bool) -> dict[str, Any]:
    hook: dict[str, Any] = {"type": "http", "url": f"{base}/hooks/claude-code", "timeout": _TIMEOUT}
    if token:
        hook |= {"headers": {"Authorization": "Bearer $TASKCOPILOT_TOKEN"}, "allowedEnvVars": ["TASKCOPILOT_TOKEN"]}
    return hook


def _moved(text: str, places: list[tuple[str, str, int, int]], hook: dict[str, Any]) -> str:
    for place in places:
        _, event, group, index = place
        if json_edit.read(text)[_HOOKS][event][group][_HOOKS][index] != hook:
            text = json_edit.replace(text, (_HOOKS, event, group, _HOOKS, index), hook)
    return text


def _ours(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield ("hooks", event, index of the group, index in it) of every hook of ours, in the order of the file."""
    for event, groups in _object(json_edit.read(text)).items():
        for number, group in enumerate(groups if isinstance(groups, list) else ()):
            hooks = group.get(_HOOKS) if isinstance(group, dict) else None
            for index, hook in enumerate(hooks if isinstance(hooks, list) else ()):
                if _is_ours(hook):
                    yield _HOOKS, event, number, index


def _object(content: Any) -> dict[str, Any]:
    hooks = content.get(_HOOKS, {}) if isinstance(content, dict) else None
    if not isinstance(hooks, dict):
        raise InvalidArgumentError(f"{_HOOKS}: expected an object", field=_HOOKS)
    return hooks


def _is_ours(hook: Any) -> bool:
    url = hook.get("url") if isinstance(hook, dict) else None
    return isinstance(url, str) and hook.get("type") == "http" and _URL.fullmatch(url) is not None
