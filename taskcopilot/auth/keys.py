"""The keys that tokens are checked with: fixed ones, and sets (JWKS) that are fetched and change.

A key is found by the algorithm and the id that a token names. The id is compared and nothing else: it is no path, no
address, no query. A key serves one algorithm only, so that a public key never is the secret of an HMAC.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
import orjson

from taskcopilot.clock import Clock
from taskcopilot.errors import InvalidArgumentError

__all__ = ["ALGORITHMS", "FetchedKeys", "FixedKeys", "Key", "Keys", "key_set", "public_key", "shared_secret"]

_log: Final = logging.getLogger(__name__)

ALGORITHMS: Final = ("HS256", "RS256", "EdDSA")

MAX_AGE: Final = 600.0
"""Seconds after which a set is fetched again when it is next needed."""

REFRESH_PAUSE: Final = 30.0
"""Seconds between two fetches at least, whatever ids tokens name: anybody can make up ids."""

_MIN_SECRET: Final = 32
"""Bytes; a shorter secret can be found by trying (RFC 7518, section 3.2)."""

_MIN_RSA_BITS: Final = 2_048


@dataclass(frozen=True, slots=True)
class Key:
    """A key for one algorithm; `kid` is None for one that is the only one."""

    algorithm: str
    kid: str | None
    material: Any


class Keys(Protocol):
    """Where keys come from."""

    async def find(self, algorithm: str, kid: str | None) -> Any | None:
        """Return the key that a token names, None when there is none for that algorithm and id."""
        ...


class FixedKeys:
    """Keys that the settings hold; a token's id is not looked at where the key has none."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    async def find(self, algorithm: str, kid: str | None) -> Any | None:
        """See Keys."""
        fitting = [key for key in self._keys if key.algorithm == algorithm]
        named = [key for key in fitting if key.kid is None or key.kid == kid]
        if kid is None and len(fitting) == 1:
            named = fitting
        return named[0].material if named else None


class FetchedKeys:
    """A set that somebody else keeps. While it cannot be fetched, the last one that could be counts."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], algorithms: Iterable[str], clock: Clock) -> None:
        self._fetch = fetch
        self._algorithms = frozenset(algorithms)
        self._clock = clock
        self._keys = FixedKeys(())
        self._fetched: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def find(self, algorithm: str, kid: str | None) -> Any | None:
        """See Keys. Fetches when the set is old, and for an id that it does not hold."""
        if algorithm not in self._algorithms:
            return None
        await self._refresh(MAX_AGE)
        found = await self._keys.find(algorithm, kid)
        if found is None:
            await self._refresh(REFRESH_PAUSE)
            found = await self._keys.find(algorithm, kid)
        return found

    async def _refresh(self, age: float) -> None:
        async with self._one_at_a_time:
            now = self._clock.monotonic()
            if self._fetched is not None and now - self._fetched < age:
                return
            self._fetched = now
            try:
                self._keys = FixedKeys(key_set(await self._fetch(), self._algorithms))
            except (OSError, ValueError, InvalidArgumentError) as error:
                _log.warning("cannot fetch the keys of tokens: %s", type(error).__name__)


def key_set(document: bytes, algorithms: Iterable[str]) -> list[Key]:
    """Read a JWKS: its public keys for the given algorithms. Keys of other kinds are passed over, secrets too.

    Raises InvalidArgumentError when it is none.
    """
    try:
        found = orjson.loads(document)["keys"]
        entries = [entry for entry in found if isinstance(entry, dict)]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise InvalidArgumentError("--jwt-jwks: no JWKS", field="--jwt-jwks") from None
    wanted = frozenset(algorithms)
    return [key for entry in entries if (key := _public(entry)) is not None and key.algorithm in wanted]


def shared_secret(secret: str, field: str) -> Key:
    """Return the key of HS256; raises InvalidArgumentError for one that is short, or is a public key."""
    if len(secret.encode()) < _MIN_SECRET:
        raise InvalidArgumentError(f"{field}: a secret has at least {_MIN_SECRET} bytes", field=field)
    try:
        return Key("HS256", None, jwt.get_algorithm_by_name("HS256").prepare_key(secret))
    except (jwt.PyJWTError, ValueError):
        raise InvalidArgumentError(f"{field}: that is a key, and no secret", field=field) from None


def public_key(pem: bytes, algorithm: str, field: str) -> Key:
    """Return a public key of RS256 or EdDSA from its PEM; raises InvalidArgumentError when it is none."""
    try:
        material = jwt.get_algorithm_by_name(algorithm).prepare_key(pem)
        if hasattr(material, "private_bytes"):
            raise InvalidArgumentError(f"{field}: that is a private key; give the public one", field=field)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise InvalidArgumentError(f"{field}: no public key for {algorithm}", field=field) from None
    return Key(algorithm, None, _strong(material, field))


def _strong(material: Any, field: str) -> Any:
    if getattr(material, "key_size", _MIN_RSA_BITS) < _MIN_RSA_BITS:
        raise InvalidArgumentError(f"{field}: RSA keys have at least {_MIN_RSA_BITS} bits", field=field)
    return material


def _public(entry: dict[str, Any]) -> Key | None:
    algorithm = {"RSA": "RS256", "OKP": "EdDSA"}.get(str(entry.get("kty")))
    kid = entry.get("kid")
    if algorithm is None or entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in entry.items() if name not in _PRIVATE_MEMBERS}
    try:
        material = jwt.PyJWK(public, algorithm).key
        return Key(algorithm, kid if isinstance(kid, str) else None, _strong(material, "--jwt-jwks"))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, InvalidArgumentError):
        return None


_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
"""Members that only who signs may know; should they be there, they are not used."""
