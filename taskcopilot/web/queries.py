"""Query strings, read as the original reads them."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from taskcopilot.auth.access import forbidden
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.topics import MAX_PATTERN_LENGTH, MAX_STARS, Pattern, Selector
from taskcopilot.web.gate import view_of
from taskcopilot.web.keys import PAST

__all__ = ["is_false", "is_true", "leading_number", "positive_number", "selectors", "single"]

_LEADING: Final = re.compile(r"\s*\+?([0-9]{1,18})")
"""What parseInt reads: digits at the beginning, whatever follows."""


def single(request: web.Request, name: str) -> str | None:
    """Return a parameter; None when it is absent or empty. Raises InvalidArgumentError when it is there twice."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise InvalidArgumentError(f"{name} was given {len(values)} times; once is enough", field=name)
    return (values[0] or None) if values else None


def is_true(request: web.Request, name: str) -> bool:
    """Tell whether the parameter is exactly `true`."""
    return single(request, name) == "true"


def is_false(request: web.Request, name: str) -> bool:
    """Tell whether the parameter is exactly `false`."""
    return single(request, name) == "false"


def leading_number(request: web.Request, name: str) -> int | None:
    """Return the number that the parameter begins with, when it is above zero; else None: it counts as absent."""
    match = _LEADING.match(single(request, name) or "")
    return int(match[1]) or None if match else None


def positive_number(request: web.Request, name: str, *, default: int, maximum: int) -> int:
    """Return a number from 1 to the maximum; raises InvalidArgumentError for anything else that is given."""
    text = single(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= maximum and len(text) < 9):  # noqa: PLR2004
        raise InvalidArgumentError(f"{name} must be a whole number from 1 to {maximum}", field=name)
    return int(text)


async def selectors(request: web.Request, maximum: int) -> list[Selector]:
    """Return what the parameters `topics` and `eventTypes` ask for, each a comma list, or repeated, or both.

    Without topics all events; without types all of theirs. Raises InvalidArgumentError that names the parameter, and
    RefusedError (FORBIDDEN) for a pattern that could match what the caller may not see.
    """
    patterns = dict.fromkeys(Pattern.parse(text) for text in _texts(request, "topics") or ["*"])
    if len(patterns) > maximum:
        raise InvalidArgumentError(f"topics: more than {maximum} patterns", field="topics")
    types = _texts(request, "eventTypes")
    if len(types) > maximum or any(len(text) > MAX_PATTERN_LENGTH or text.count("*") > MAX_STARS for text in types):
        raise InvalidArgumentError("eventTypes: too many, or too long", field="eventTypes")
    view = view_of(request)
    wanted = [Selector(pattern, frozenset(types) if types else None, view) for pattern in patterns]
    hidden = None if view is None else await request.app[PAST].first_hidden(wanted)
    if hidden is not None:
        raise forbidden(f"topics: {wanted[hidden].pattern.text} is not in view of the token", field="topics")
    return wanted


def _texts(request: web.Request, name: str) -> list[str]:
    return [text for value in request.query.getall(name, []) if value for text in value.split(",")]
