"""Queries that an edit by hand cannot stop: text that is no UTF-8 is read all the same."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

__all__ = ["query"]

T = TypeVar("T")

_UNDECODABLE: Final = "Could not decode"
"""How sqlite3 begins to complain of text that is no UTF-8; it gives up the whole query for it."""


def query(
    connection: sqlite3.Connection,
    fetch: Callable[[sqlite3.Cursor], T],
    sql: str,
    parameters: Sequence[Any] = (),
    *,
    errors: str = "replace",
) -> T:
    """Run a reading query and fetch from it; on the connection's thread.

    `errors`: what becomes of bytes that are no text, as in `bytes.decode`. Costs nothing where there are none.
    """
    try:
        return fetch(connection.execute(sql, parameters))
    except sqlite3.OperationalError as error:
        if not str(error).startswith(_UNDECODABLE):
            raise
    with _decoding(connection, errors):
        return fetch(connection.execute(sql, parameters))


@contextlib.contextmanager
def _decoding(connection: sqlite3.Connection, errors: str) -> Iterator[None]:
    connection.text_factory = lambda text: text.decode("utf-8", errors)
    try:
        yield
    finally:
        connection.text_factory = str
