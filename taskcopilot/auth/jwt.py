"""JSON Web Tokens: checked against keys and rules that the settings pin, whatever their header says.

Why a token is refused is not told: `verify` returns None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from taskcopilot.auth.access import EVERYTHING, Access, Scope, parse_topics
from taskcopilot.auth.identity import Identity
from taskcopilot.auth.keys import Keys
from taskcopilot.auth.tokens import MAX_TOKEN
from taskcopilot.clock import Clock
from taskcopilot.errors import BridgeError

__all__ = ["LEEWAY", "JwtRules", "JwtVerifier"]

LEEWAY: Final = 30.0
"""Seconds by which the clocks of issuer and bridge may differ."""

_LONG_AGO: Final = 10_000_000_000_000
"""Seconds; no clock shows what is above, and dates do not hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtRules:
    """What a token must say; None for what is not asked."""

    issuer: str | None = None
    audience: str | None = None
    of_services: bool = False
    """By a secret that all services share, as the ecosystem has it: `exp` may be absent, and everything is allowed."""


class JwtVerifier:
    """Checks tokens. The algorithms are those that there are keys for, and no others."""

    def __init__(self, keys: Keys, rules: JwtRules, clock: Clock) -> None:
        self._keys = keys
        self._rules = rules
        self._clock = clock

    async def verify(self, token: str) -> Identity | None:
        """Return whom a token stands for; None unless everything about it is right. May wait for keys to be fetched."""
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        try:
            header = jwt.get_unverified_header(token)
            algorithm, kid = header.get("alg"), header.get("kid")
            if not isinstance(algorithm, str) or "crit" in header or not isinstance(kid, str | None):
                return None
            key = await self._keys.find(algorithm, kid)
            return None if key is None else self._identify(jwt.decode(token, key, [algorithm], _OPTIONS))
        except (jwt.PyJWTError, BridgeError, ValueError, TypeError, RecursionError):
            return None

    def _identify(self, claims: Mapping[str, Any]) -> Identity | None:
        never = _LATEST if self._rules.of_services and "exp" not in claims else None
        now, expires = self._clock.now().timestamp(), _number(claims.get("exp", never))
        begins = _number(claims.get("nbf", 0))
        if expires is None or begins is None or expires + LEEWAY <= now or begins - LEEWAY > now:
            return None
        if not self._is_meant_for_us(claims):
            return None
        return Identity(
            access=EVERYTHING if self._rules.of_services else _access(claims),
            expires_at=datetime.fromtimestamp(min(expires + LEEWAY, _LATEST), UTC),
            token_id=_text(claims.get("jti")),
            user=_text(claims.get("user_id", claims.get("sub"))),
        )

    def _is_meant_for_us(self, claims: Mapping[str, Any]) -> bool:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        issuer = self._rules.issuer
        return (issuer is None or claims.get("iss") == issuer) and (
            self._rules.audience is None or self._rules.audience in audiences
        )


_OPTIONS: Final[Any] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
}
"""The library looks at the signature, and we at the claims, by the clock that we were given."""

_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def _access(claims: Mapping[str, Any]) -> Access:
    """Read the rights: `scope` as text, `scopes` or `permissions` as lists; `service:read` counts as `read`.

    Without `topics` everything is in view. Raises InvalidPatternError for a topic that is no pattern.
    """
    named = {name.rpartition(":")[2].strip().lower() for name in _words(claims)}
    topics = claims.get("topics", [])
    return Access(
        frozenset(scope for scope in Scope if scope.value in named),
        parse_topics(topics.split(",") if isinstance(topics, str) else map(_required_text, topics)),
    )


def _words(claims: Mapping[str, Any]) -> Iterable[str]:
    for name in ("scope", "scopes", "permissions"):
        value = claims.get(name, [])
        yield from value.split() if isinstance(value, str) else filter(None, map(_text, value))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < _LONG_AGO else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _required_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a topic that is no text")
    return value
