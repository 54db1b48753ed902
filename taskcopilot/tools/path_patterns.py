"""Path patterns: which files a stream says are its own.

    src/pay/        everything below the directory
    src/pay         the file, or everything below the directory
    src/*.py        `*` is any run of characters without a slash, `?` any one character
    src/**/test.py  `**` is any run of characters; `/**/` also a single slash

The matcher keeps the set of positions in the pattern that the text may have reached, as the bits of one integer: its
time grows with the length of the text, whatever the pattern. A regular expression of `*a*a*a*b` would backtrack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tools.text import utf16_length

__all__ = ["MAX_LENGTH", "MAX_STARS", "PathPattern"]

MAX_LENGTH: Final = 500
"""UTF-16 units, as the original counts."""

MAX_STARS: Final = 10

_WILDCARD: Final = re.compile(r"[*?]")

_TOKEN: Final = re.compile(r"(?<=/)\*\*/|\*\*+|.", re.DOTALL)


class PathPattern:
    """A valid path pattern, ready to match."""

    def __init__(self, text: str) -> None:
        """Raise InvalidArgumentError for a pattern that is too long or has too many stars."""
        if utf16_length(text) > MAX_LENGTH:
            raise InvalidArgumentError(f"path pattern longer than {MAX_LENGTH} characters", field="streamPaths")
        if text.count("*") > MAX_STARS:
            raise InvalidArgumentError(f"path pattern {text!r} has more than {MAX_STARS} stars", field="streamPaths")
        self.text = text
        wildcard = _WILDCARD.search(text)
        self._glob = None if wildcard is None or text.endswith("/") else _Glob(text)
        self._prefix = text if self._glob is None or wildcard is None else text[: wildcard.start()]

    def matches(self, path: str) -> bool:
        """Tell whether the path is one of the pattern's."""
        if not self.text or not path.startswith(self._prefix):
            return False
        if self._glob is not None:
            return self._glob.matches(path)
        return self.text.endswith("/") or path == self.text or path[len(self.text)] == "/"


class _Glob:
    """A pattern as a machine without memory: bit i of a set says that everything before token i is matched."""

    def __init__(self, text: str) -> None:
        self._literal: dict[str, int] = {}
        self._any = self._within = self._across = self._optional = 0
        bit = 1
        for token in _tokens(text):
            match token:
                case "?":
                    self._any |= bit
                case "*":
                    self._within |= bit
                case "**":
                    self._across |= bit
                case "":
                    self._optional |= bit
                case _:
                    self._literal[token] = self._literal.get(token, 0) | bit
            bit <<= 1
        self._end = bit

    def matches(self, text: str) -> bool:
        """Tell whether the whole text matches."""
        reached = self._skip(1)
        for character in text:
            stay = self._across if character == "/" else self._across | self._within
            step = self._any | self._literal.get(character, 0)
            reached = self._skip((reached & stay) | (reached & step) << 1)
        return bool(reached & self._end)

    def _skip(self, reached: int) -> int:
        """Add the positions that need no character: past a star, and past or into optional directories."""
        optional = reached & self._optional
        reached |= optional << 1 | optional << 3
        return reached | (reached & (self._within | self._across)) << 1


def _tokens(text: str) -> Iterator[str]:
    """Split a pattern. No star and no optional directories follow another, so one step of skipping is enough.

    Directories that may be missing are three tokens, `**` and `/` after a mark, the empty token.
    """
    previous = ""
    for token in _TOKEN.findall(text):
        if not token.startswith("**"):
            yield token
        elif not token.endswith("/"):
            yield "**"
        elif token != previous:
            yield from ("", "**", "/")
        previous = token
