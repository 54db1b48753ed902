"""The order in which people look names up: letters by the alphabet, whatever their case or accents."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["name_key"]

_RANKS: Final = {"Z": 0, "C": 0, "P": 1, "S": 2, "N": 3}
"""First letter of the Unicode category -> its place before the letters: spaces, punctuation, symbols, digits."""

_LETTERS: Final = 4


def name_key(name: str) -> tuple[list[tuple[int, str]], str, str]:
    """Return a key to sort by, close to what JavaScript's localeCompare does in the root locale.

    Accents and case decide between names that are otherwise equal: without accent first, then lower case first.
    """
    decomposed = unicodedata.normalize("NFKD", name)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    letters = [(_RANKS.get(unicodedata.category(character)[0], _LETTERS), character) for character in plain.casefold()]
    return letters, decomposed.casefold(), decomposed.swapcase()
