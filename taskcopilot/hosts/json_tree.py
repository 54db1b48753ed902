"""JSON text as a tree of places: where each member and each value begins and ends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError

__all__ = ["Member", "Node", "parse"]

_BOM: Final = "\ufeff"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR: Final = re.compile(r"[^ \t\r\n,\]}]+")


@dataclass(frozen=True, slots=True)
class Node:
    """A value, from `start` up to `end`, and what is in it."""

    start: int
    end: int
    kind: str
    """The first character: `{`, `[`, or that of a scalar."""
    members: tuple[Member, ...] = ()

    def __getitem__(self, step: str | int) -> Member | None:
        """Return an element by its index, or a member by its key: of several the last, as readers of JSON do."""
        if isinstance(step, int):
            return self.members[step]
        return next((member for member in reversed(self.members) if member.key == step), None)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object, beginning with its key, or an element of an array, whose key is None."""

    start: int
    key: str | None
    value: Node


def parse(text: str) -> Node:
    """Return the tree of a text, which may begin with a byte order mark; raises InvalidArgumentError for no JSON."""
    begin = len(_BOM) if text.startswith(_BOM) else 0
    try:
        json.loads(text[begin:], parse_constant=_refuse)
        return _node(text, _space(text, begin))
    except RecursionError:
        raise InvalidArgumentError("not JSON that we read: nested too deeply", field="file") from None
    except json.JSONDecodeError as error:
        raise InvalidArgumentError(f"not JSON: {_reason(error)}", field="file") from None
    except ValueError as error:
        raise InvalidArgumentError(f"not JSON: {error}", field="file") from None


def _reason(error: json.JSONDecodeError) -> str:
    """Say what people write that is no JSON; anything else in the words of the parser."""
    rest = error.doc[error.pos :].lstrip()
    if not error.doc.strip():
        return "it is empty"
    if rest.startswith(("//", "/*")):
        return f"line {error.lineno} has a comment"
    if rest.startswith(("}", "]", ",")) and error.doc[: error.pos].rstrip().endswith(","):
        return f"line {error.lineno} has a comma too many"
    return str(error)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON value")


def _node(text: str, at: int) -> Node:
    """Read the value that begins here; the text is known to be JSON."""
    kind = text[at]
    if kind == '"':
        return Node(at, _end(_STRING, text, at), kind)
    if kind not in "{[":
        return Node(at, _end(_SCALAR, text, at), kind)
    members = []
    position = _space(text, at + 1)
    while text[position] not in "}]":
        if text[position] == ",":
            position = _space(text, position + 1)
        member = _member(text, position, keyed=kind == "{")
        members.append(member)
        position = _space(text, member.value.end)
    return Node(at, position + 1, kind, tuple(members))


def _member(text: str, at: int, *, keyed: bool) -> Member:
    if not keyed:
        return Member(at, None, _node(text, at))
    end = _end(_STRING, text, at)
    return Member(at, json.loads(text[at:end]), _node(text, _space(text, _space(text, end) + 1)))


def _space(text: str, at: int) -> int:
    return _end(_SPACE, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return at if match is None else match.end()
