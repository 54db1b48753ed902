"""Lengths and cuts of text in UTF-16 units, as clients written in JavaScript count them."""

from __future__ import annotations

from typing import Final

__all__ = ["preview", "utf16_cut", "utf16_length"]

_ENCODING: Final = "utf-16-le"
_UNIT: Final = 2


def utf16_length(text: str) -> int:
    """Return the number of UTF-16 units: characters outside the basic plane, such as emoji, count two."""
    return len(text.encode(_ENCODING)) // _UNIT


def utf16_cut(text: str, units: int) -> str:
    """Return the first `units` UTF-16 units; a character that would be cut in half is left out whole."""
    return text[:units].encode(_ENCODING)[: units * _UNIT].decode(_ENCODING, "ignore")


def preview(text: str, units: int) -> str:
    """Return the beginning of a text, marked by `...` where something follows."""
    head = utf16_cut(text, units)
    return head if len(head) == len(text) else f"{head}..."
