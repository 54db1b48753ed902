"""Errors as people and scripts read them: one line or one JSON object on standard error, and an exit code."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import click

from taskcopilot.errors import BridgeError, ConflictError, InvalidArgumentError, NotFoundError

__all__ = ["FAILED", "INTERRUPTED", "USAGE", "report", "report_usage"]

FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
CONFLICT: Final = 4
INTERRUPTED: Final = 130

_CODES: Final = ((InvalidArgumentError, USAGE), (NotFoundError, NOT_FOUND), (ConflictError, CONFLICT))


def report(error: Exception, *, as_json: bool) -> int:
    """Print the error and return the exit code. A defect of ours keeps its traceback: somebody has to find it."""
    if isinstance(error, BridgeError):
        _print(error.message, as_json, code=error.code, field=error.field, **error.details)
        return next((number for kind, number in _CODES if isinstance(error, kind)), FAILED)
    if isinstance(error, click.ClickException):
        _print(error.format_message(), as_json, code="FAILED")
        return FAILED
    if isinstance(error, OSError):
        _print(str(error), as_json, code="FAILED")
        return FAILED
    sys.excepthook(type(error), error, error.__traceback__)
    _print(f"internal error: {error!r}", as_json, code="INTERNAL")
    return FAILED


def report_usage(error: click.UsageError, *, as_json: bool) -> int:
    """Print a mistake in the command line, with the way to the help, and return the exit code."""
    message = error.format_message()
    _print(message, as_json, code="USAGE", field=getattr(getattr(error, "param", None), "name", None))
    if not as_json and error.ctx is not None:
        click.echo(f"See '{error.ctx.command_path} --help'.", err=True)
    return USAGE


def _print(message: str, as_json: bool, **facts: Any) -> None:
    if as_json:
        shown = {"error": message} | {name: fact for name, fact in facts.items() if fact is not None}
        click.echo(json.dumps(shown, ensure_ascii=False), err=True)
    else:
        click.echo(f"error: {message}", err=True)
