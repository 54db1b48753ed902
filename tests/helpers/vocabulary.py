"""Whether the events in logs are what the published schemas say (promise H12)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from functools import cache
from pathlib import Path

import jsonschema_rs

from taskcopilot.web.event_models import of_type, schema

__all__ = ["check_events"]

NEWEST = 2_000
"""Events of a log that are looked at: the tests that write more write the same again and again."""


def check_events(directory: Path) -> None:
    """Check the newest events of every database below a directory; what is no database, or a damaged one, is left."""
    for path in directory.rglob("*.db"):
        if path.is_file():
            with contextlib.suppress(sqlite3.DatabaseError):
                _check(path)


def _check(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT seq, type, data FROM events ORDER BY seq DESC LIMIT ?", (NEWEST,))
        for seq, kind, data in rows:
            error = next(_validator(kind).iter_errors(json.loads(data)), None)
            assert error is None, f"event {seq} of {path.name}, {kind}: {error}"


@cache
def _validator(event_type: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema(of_type(event_type)))
