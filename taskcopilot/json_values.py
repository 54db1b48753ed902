"""What JSON can hold and we can store: checked for every call, whichever way it came in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError

__all__ = ["MAX_DEPTH", "refuse_unstorable"]

MAX_DEPTH: Final = 64
"""Levels of arrays and objects in the arguments of a call."""

_MAX_INTEGER: Final = 2**63 - 1


def refuse_unstorable(arguments: Any) -> None:
    """Raise InvalidArgumentError that names the place of a value that no JSON column can hold.

    Refused are numbers beyond 64 bits, NaN and infinities, text with lone surrogates, keys that are no text, and
    nesting beyond MAX_DEPTH. Walks without recursion: hostile arguments must not find the end of the stack.
    """
    if _is_plain(arguments):
        return
    pending: list[tuple[str, Any, int]] = [("", arguments, 0)]
    while pending:
        path, value, depth = pending.pop()
        if problem := _problem(value, depth):
            raise InvalidArgumentError(f"{path or 'arguments'}: {problem}", field=path or "arguments")
        pending.extend((f"{path}.{key}" if path else str(key), item, depth + 1) for key, item in _items(value))


def _is_plain(arguments: Any) -> bool:
    """Tell at a glance that nothing can be wrong: most calls are a few short texts, and this is a tenth of the walk."""
    return type(arguments) is dict and all(
        type(key) is str
        and key.isascii()
        and (value is None or value is True or value is False or (type(value) is str and value.isascii()))
        for key, value in arguments.items()
    )


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _problem(value: Any, depth: int) -> str | None:
    match value:
        case dict() | list() | tuple():
            if depth > MAX_DEPTH:
                return f"nested deeper than {MAX_DEPTH} levels"
            if isinstance(value, dict) and not all(isinstance(key, str) and _is_text(key) for key in value):
                return "a key is no text"
        case bool():
            return None
        case int():
            return None if abs(value) <= _MAX_INTEGER else "a number that does not fit into 64 bits"
        case float():
            return None if math.isfinite(value) else "not a finite number"
        case str():
            return None if _is_text(value) else "text that is not Unicode"
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
