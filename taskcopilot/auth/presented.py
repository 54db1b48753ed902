"""Where a token may stand: in the `Authorization` header, or, for browsers' sockets, among the subprotocols.

Never in an address: those are written to logs, histories and `Referer` headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from taskcopilot.auth.identity import unauthorized
from taskcopilot.errors import RefusedError

__all__ = ["SUBPROTOCOL", "refuse_in_query", "token_in_headers"]

SUBPROTOCOL: Final = "taskcopilot"
"""What a browser offers beside its token: it ends a connection in which none of its offers was taken."""

_SCHEME: Final = "bearer"
_OFFER: Final = "bearer."
_QUERY_NAMES: Final = frozenset({"token", "access_token", "auth", "jwt", "bearer"})


def token_in_headers(authorization: Sequence[str], protocols: Sequence[str]) -> str | None:
    """Return the token of a request, None when it shows none; raises RefusedError for more than one, or a broken one.

    `protocols` are the values of `Sec-WebSocket-Protocol`, each a comma list.
    """
    offered = [part.strip() for value in protocols for part in value.split(",")]
    shown = [_credentials(value) for value in authorization]
    shown += [offer.removeprefix(_OFFER) for offer in offered if offer.startswith(_OFFER)]
    if len(shown) > 1:
        raise unauthorized("show one token, once")
    return shown[0] if shown else None


def refuse_in_query(names: Iterable[str]) -> None:
    """Raise RefusedError when a query holds what looks like a token, by its name."""
    if not _QUERY_NAMES.isdisjoint(name.lower() for name in names):
        raise RefusedError(
            "a token does not belong in an address: send it as Authorization: Bearer ...",
            code="TOKEN_IN_QUERY",
            status=400,
        )


def _credentials(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise unauthorized()
    return token.strip()
