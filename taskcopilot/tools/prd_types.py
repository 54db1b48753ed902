"""PRD types: what a document is about, read from its words, and whether that locks its scope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError

__all__ = ["complete_metadata", "detect"]

_WORDS: Final = {
    "DEFECT": "fix|bug|error|broken|issue|crash|fail",
    "QUESTION": "how|what|why|explain|investigate|research|explore",
    "EXPERIENCE": "ui|ux|design|interface|modal|form|screen|page|layout|component|visual|interaction",
    "FEATURE": "add|implement|create|build|develop|introduce|enable",
}
_TYPES: Final = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _WORDS.items()}

_LOCKED: Final = frozenset({"FEATURE", "EXPERIENCE"})
"""Types whose scope grows by itself unless somebody has to ask."""


def detect(text: str) -> str:
    """Return the first type one of whose words the text holds, whole and in any case; else TECHNICAL."""
    return next((name for name, pattern in _TYPES.items() if pattern.search(text)), "TECHNICAL")


def complete_metadata(metadata: Mapping[str, Any], title: str, description: str | None) -> dict[str, Any]:
    """Return the metadata with `prdType` as detected, and `scopeLocked` by type unless the caller set it.

    Raises InvalidArgumentError for a `scopeLocked` that is no boolean: it would silently lock nothing.
    """
    kind = detect(f"{title} {description or ''}")
    locked = metadata.get("scopeLocked")
    if locked is not None and not isinstance(locked, bool):
        raise InvalidArgumentError("metadata.scopeLocked: expected true or false", field="metadata.scopeLocked")
    return {**metadata, "prdType": kind, "scopeLocked": kind in _LOCKED if locked is None else locked}
