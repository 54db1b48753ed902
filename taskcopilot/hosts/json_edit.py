"""Edits of JSON text that leave every other character alone, and that can be taken back to the byte.

What is added goes after the last member, in the layout that it finds. How a container looks tells who made it: one that
was there and empty gets our member right after its bracket, one that we made has white space there. So `remove` knows
whether to take the container out as well, and nothing has to be remembered anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.hosts.json_tree import Member, Node, parse

__all__ = ["Step", "add", "create", "read", "remove", "replace"]

Step = str | int
"""The key of a member, or the index of an element."""

_INDENT: Final = re.compile(r"\n([ \t]+)\S")
_SPACES: Final = frozenset(" \t\r\n")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How lines end, how a level is indented, and how deep the first line is; no line ends for text on one line."""

    newline: str
    unit: str
    base: str

    def deeper(self) -> _Layout:
        return _Layout(self.newline, self.unit, self.base + self.unit)


def read(text: str) -> Any:
    """Return the value; raises InvalidArgumentError for what is no JSON."""
    root = parse(text)
    return json.loads(text[root.start : root.end])


def create(path: Sequence[str], value: Any) -> str:
    """Return the text of a new file that holds just this value at the path."""
    return _render(_nested(path, value), _Layout("\n", "  ", "")) + "\n"


def add(text: str, path: Sequence[str], value: Any, *, to_array: bool = False) -> str:
    """Return the text with the value at the path, whose last step must be new; or as a new element of the array there.

    Containers on the way that are missing are made. Raises InvalidArgumentError where something else is in the way.
    """
    steps = list(path) if to_array else list(path[:-1])
    node, depth = _reach(parse(text), steps, to_array=to_array)
    if depth < len(steps):
        inner = _nested(steps[depth + 1 :] + ([] if to_array else [path[-1]]), [value] if to_array else value)
        return _insert(text, node, steps[depth], inner)
    return _insert(text, node, None if to_array else path[-1], value)


def replace(text: str, path: Sequence[Step], value: Any) -> str:
    """Return the text with another value at the path, which must be there."""
    member = _chain(parse(text), path)[-1][1]
    line = text[: member.start].rpartition("\n")[2]
    base = line[: len(line) - len(line.lstrip(" \t"))]
    layout = _layout(text, base)
    return text[: member.value.start] + _render(value, layout) + text[member.value.end :]


def remove(text: str, path: Sequence[Step]) -> str | None:
    """Return the text without the member at the path, which must be there, and without containers that `add` made.

    None when nothing is left that was not ours: then the file was.
    """
    for parent, member in reversed(_chain(parse(text), path)):
        if len(parent.members) > 1 or text[parent.start + 1] not in _SPACES:
            return _cut(text, parent, member)
    return None


def _cut(text: str, parent: Node, member: Member) -> str:
    index = parent.members.index(member)
    if index:
        begin, end = parent.members[index - 1].value.end, member.value.end
    elif len(parent.members) > 1:
        begin, end = member.start, parent.members[1].start
    else:
        begin, end = parent.start + 1, member.value.end
    return text[:begin] + text[end:]


def _reach(node: Node, steps: Sequence[str], *, to_array: bool) -> tuple[Node, int]:
    """Walk as far as there is something; return where that is, and how many steps it took."""
    for depth, step in enumerate(steps):
        _require("{", node, steps[:depth])
        member = node[step]
        if member is None:
            return node, depth
        node = member.value
    _require("[" if to_array else "{", node, steps)
    return node, len(steps)


def _require(kind: str, node: Node, steps: Sequence[str]) -> None:
    if node.kind != kind:
        where = ".".join(steps)
        wanted = "an object" if kind == "{" else "an array"
        raise InvalidArgumentError(f"{where or 'the file'}: expected {wanted}", field=where or "file")


def _chain(node: Node, path: Sequence[Step]) -> list[tuple[Node, Member]]:
    """Return the container and the member of every step."""
    found = []
    for step in path:
        member = node[step]
        if member is None:
            raise KeyError(step)
        found.append((node, member))
        node = member.value
    return found


def _insert(text: str, node: Node, key: str | None, value: Any) -> str:
    name = "" if key is None else f"{json.dumps(key)}: "
    if not node.members:
        line = text[: node.start].rpartition("\n")[2]
        layout = _layout(text, line[: len(line) - len(line.lstrip(" \t"))])
        return text[: node.start + 1] + name + _render(value, layout) + text[node.start + 1 :]
    last = node.members[-1]
    before = node.members[-2].value.end if len(node.members) > 1 else node.start + 1
    lead = text[before : last.start].rpartition(",")[2]
    layout = _layout(text, lead.rpartition("\n")[2]) if "\n" in lead else _Layout("", "", "")
    return text[: last.value.end] + f",{lead}{name}{_render(value, layout)}" + text[last.value.end :]


def _layout(text: str, base: str) -> _Layout:
    if "\n" not in text.strip():
        return _Layout("", "", "")
    indent = _INDENT.search(text)
    return _Layout("\r\n" if "\r\n" in text else "\n", indent[1] if indent else "  ", base)


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _render(value: Any, layout: _Layout) -> str:
    """Write a value; in every container that has containers in it, white space follows the bracket."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return json.dumps(value)
    if isinstance(value, dict | list) and value:
        inner = layout.deeper()
        names = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
        items = value.values() if isinstance(value, dict) else value
        rows = [name + _render(item, inner) for name, item in zip(names, items, strict=True)]
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        if not layout.newline:
            return f"{opening} {', '.join(rows)} {closing}"
        lead = layout.newline + inner.base
        return f"{opening}{lead}{f',{lead}'.join(rows)}{layout.newline}{layout.base}{closing}"
    return json.dumps(value)
