"""The state of a service as its requests read it: documents by kind and id, on one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from taskcopilot.errors import NotFoundError
from taskcopilot.store import service_state
from taskcopilot.store.transaction import ReadTx

__all__ = ["State"]

_PAGE: Final = 200
"""Documents that are read at once by who goes through all of a kind."""


class State:
    """What the events of one service add up to. Lives as long as the transaction."""

    def __init__(self, tx: ReadTx, service: str) -> None:
        self._tx = tx
        self._service = service

    def find(self, kind: str, identifier: str) -> dict[str, Any] | None:
        """Return a document, or None when no event has named the id."""
        return service_state.find(self._tx, self._service, kind, identifier)

    def require(self, kind: str, identifier: str, field: str | None = None) -> dict[str, Any]:
        """Return a document; raises NotFoundError (`NOT_FOUND` on the wire) for an id that no event has named.

        `field` is the argument that the id is from, by default `{kind}_id`.
        """
        found = self.find(kind, identifier)
        if found is None:
            raise NotFoundError(f"Unknown {kind}: {identifier}", field=field or f"{kind}_id")
        return found

    def newest(self, kind: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the documents of a kind that changed last, newest first."""
        return service_state.newest(self._tx, self._service, kind, limit)

    def each(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the documents of a kind, newest first; read in pages, so that who stops early pays for no more."""
        for page in count():
            found = service_state.newest(self._tx, self._service, kind, _PAGE, skip=page * _PAGE)
            yield from found
            if len(found) < _PAGE:
                return
