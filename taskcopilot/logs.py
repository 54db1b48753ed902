"""How log lines look: text for people, JSON lines for programs. Whatever is in a message, it stays one record.

Titles, topics and headers are anybody's text. A line break in one must not look like a second record, and an escape
sequence must not reach a terminal.
"""

from __future__ import annotations

import json
import logging
import sys
import unicodedata
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from taskcopilot.clock import iso

__all__ = ["CONNECTION", "configure_log", "escaped"]

CONNECTION: Final[ContextVar[str]] = ContextVar("connection", default="")
"""The id of the connection that is being served; what is logged meanwhile carries it."""

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that end lines, steer terminals or turn the direction of the text."""


def configure_log(level: str, shape: str = "auto") -> None:
    """Log to standard error, never to standard output. `shape`: text, json, or auto: text on a terminal, else json.

    The level is for our own messages; of the libraries' only warnings are of interest.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shape, sys.stderr))
    handler.addFilter(_add_connection)
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("taskcopilot").setLevel(level.upper())


def escaped(text: str) -> str:
    """Return the text with every character that is no visible one, nor a space, written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _shown(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _formatter(shape: str, stream: TextIO) -> logging.Formatter:
    if shape == "text" or (shape == "auto" and stream.isatty()):
        return _Text()
    return _Json()


def _add_connection(record: logging.LogRecord) -> bool:
    if not getattr(record, "connection", ""):
        record.connection = CONNECTION.get()
    return True


def _at(record: logging.LogRecord) -> str:
    return iso(datetime.fromtimestamp(record.created, UTC))


def _about(record: logging.LogRecord) -> dict[str, Any]:
    """Return which connection and which event a record is about, where it is about one."""
    values = ((name, getattr(record, name, None)) for name in ("connection", "seq"))
    return {name: value for name, value in values if value not in {None, ""}}


class _Text(logging.Formatter):
    """One line a record; a traceback below it is indented, so that none of its lines looks like a record."""

    def format(self, record: logging.LogRecord) -> str:
        about = "".join(f" {name}={value}" for name, value in _about(record).items())
        lines = [f"{_at(record)} {record.levelname} {record.name}: {escaped(record.getMessage())}{about}"]
        if record.exc_info:
            lines += [f"    {escaped(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


class _Json(logging.Formatter):
    """One object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= _about(record)
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)
