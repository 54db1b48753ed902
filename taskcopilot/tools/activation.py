"""Activation modes: how much effort a task asks for, read from its words unless its metadata says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.store import tasks
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import ReadTx

__all__ = ["detect", "resolve_activation_mode", "ultrawork_warning"]

_WORDS: Final = {
    "ultrawork": r"ultrawork|simple\w*|minor|typo\w*|hotfix\w*|tweak\w*",
    "analyze": r"analyz\w*|analys\w*",
    "quick": r"quick\w*|fast\w*|rapid\w*",
    "thorough": (
        r"thorough\w*|comprehensive\w*|detailed\w*|in-depth|complex\w*|architecture\w*|refactor\w*|redesign\w*|system"
    ),
}
_MODES: Final = {mode: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for mode, words in _WORDS.items()}

_MANY_SUBTASKS: Final = 3


def detect(text: str) -> str | None:
    """Return the mode whose first hit in the text is furthest right, or None without a hit."""
    hits = {mode: found.start() for mode, pattern in _MODES.items() if (found := pattern.search(text))}
    return max(hits, key=hits.__getitem__, default=None)


def resolve_activation_mode(metadata: Mapping[str, Any], title: str, description: str | None) -> str | None:
    """Return the mode that the metadata names, or else the detected one; an unknown name is refused."""
    if "activationMode" not in metadata:
        return detect(f"{title} {description or ''}")
    mode: Any = metadata["activationMode"]
    if mode is not None and not (isinstance(mode, str) and mode in _MODES):
        raise InvalidArgumentError(
            f"metadata.activationMode: expected one of {', '.join(_MODES)} or null", field="metadata.activationMode"
        )
    return mode


def ultrawork_warning(tx: ReadTx, parent: Task) -> str | None:
    """Return a warning when a task of the lightest mode has grown more subtasks than fit it."""
    if parent.metadata.get("activationMode") != "ultrawork":
        return None
    count = tasks.count_children(tx, parent.id)
    if count <= _MANY_SUBTASKS:
        return None
    return f"Task {parent.id} is in ultrawork mode but has {count} subtasks (recommended: {_MANY_SUBTASKS} at most)"
