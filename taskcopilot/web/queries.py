"""Query strings, read as the original reads them."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from taskcopilot.errors import InvalidArgumentError

__all__ = ["is_false", "is_true", "leading_number", "positive_number", "single"]

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
