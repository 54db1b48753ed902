"""Whether what a caller asks to hear of is in its view, where that takes a look at the tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from taskcopilot.auth.access import View
from taskcopilot.store import task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.topics import Selector

__all__ = ["first_hidden"]

_OF_TASKS: Final = frozenset({"task", "checkpoint"})
"""Entities of topics whose id is that of a task."""


def first_hidden(selectors: Sequence[Selector], tx: ReadTx) -> int | None:
    """Return the index of the first selector that could match what its own view does not show, None for none.

    A pattern that names one task is in view when the task is; an unknown task never is.
    """
    return next((index for index, selector in enumerate(selectors) if not _is_in_view(selector, tx)), None)


def _is_in_view(selector: Selector, tx: ReadTx) -> bool:
    if not isinstance(selector.view, View) or selector.view.covers(selector.pattern):
        return True
    entity, _, identifier = selector.pattern.text.partition(":")
    if entity not in _OF_TASKS or not selector.pattern.is_exact:
        return False
    stream = task_rows.stream_of(tx, identifier)
    return stream is not None and selector.view.sees_task(identifier, stream)
