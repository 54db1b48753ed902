"""Answers of tools as people read them: tables, aligned facts, and nothing that could move the cursor."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
import orjson
from pydantic import BaseModel

__all__ = ["columns", "plain", "show"]

_UPPER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAP: Final = "  "
_LONGEST_NAME: Final = 28
_NARROWEST: Final = 12
"""Characters that a cell keeps however narrow the terminal is."""


def show(answer: BaseModel, *, as_json: bool) -> None:
    """Print an answer: one line of compact JSON, or text for people."""
    click.echo(answer.model_dump_json() if as_json else _text(answer.model_dump(mode="json")))


def plain(value: object) -> str:
    """Return one line without control characters: titles come from anywhere, and terminals obey what they read."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def columns(rows: Sequence[Sequence[str]], *, header: bool = True) -> str:
    """Align rows in columns; on a terminal the widest cells are cut so that a row stays one line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sys.stdout.isatty():
        _narrow(widths, shutil.get_terminal_size().columns)
    lines = [_GAP.join(_cut(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if header:
        lines[0] = click.style(lines[0], bold=True)
    return "\n".join(lines)


def _narrow(widths: list[int], available: int) -> None:
    while sum(widths) + len(_GAP) * (len(widths) - 1) > available and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _cut(cell: str, width: int) -> str:
    return f"{cell:<{width}}" if len(cell) <= width else f"{cell[: width - 1]}…"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return _table(value)
    if isinstance(value, dict):
        return _facts(value)
    return plain(value)


def _table(rows: Sequence[Any]) -> str:
    if not rows:
        return "none"
    if not all(isinstance(row, dict) for row in rows):
        return "\n".join(plain(_cell(row)) for row in rows)
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if _has_value(rows, name)]
    return columns([[_words(name) for name in names], *([_cell(row.get(name)) for name in names] for row in rows)])


def _has_value(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row.get(name) not in (None, "", [], {}) for row in rows)


def _facts(facts: Mapping[str, Any]) -> str:
    """Short facts first, aligned; then texts of several lines and tables, each under its name."""
    long = {name: value for name, value in facts.items() if _is_long(value)}
    short = [(_words(name), _cell(value)) for name, value in facts.items() if name not in long]
    width = max((len(name) for name, _ in short), default=0)
    blocks = ["\n".join(f"{name:<{min(width, _LONGEST_NAME)}}{_GAP}{cell}".rstrip() for name, cell in short)]
    blocks += [f"{click.style(_words(name), bold=True)}\n{_block(value)}" for name, value in long.items()]
    return "\n\n".join(block for block in blocks if block)


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def _block(value: Any) -> str:
    return "\n".join(map(plain, value.splitlines())) if isinstance(value, str) else _table(value)


def _cell(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(entry, dict | list) for entry in value):
        return plain(", ".join(map(str, value)))
    if isinstance(value, dict):
        return plain(" ".join(f"{name}={_json(entry)}" for name, entry in value.items()) or "-")
    return plain(_json(value))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _words(name: str) -> str:
    return plain(_UPPER.sub(" ", name).lower())
