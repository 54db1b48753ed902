"""From settings to who checks tokens: reads the files of keys, and fetches sets of them off the event loop."""

from __future__ import annotations

import asyncio
import urllib.request
from functools import partial
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from taskcopilot.auth.jwt import JwtRules, JwtVerifier
from taskcopilot.auth.keys import FetchedKeys, FixedKeys, Key, Keys, key_set, public_key, shared_secret
from taskcopilot.clock import Clock
from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError

__all__ = ["jwt_verifier", "services_verifier"]

_PATIENCE: Final = 5.0
"""Seconds for a set of keys to come."""

_MAX_SET: Final = 1_048_576
"""Bytes of a set of keys."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


async def jwt_verifier(settings: Settings, clock: Clock) -> JwtVerifier:
    """Return who checks JWTs as the settings say; raises InvalidArgumentError that names the setting at fault."""
    if not settings.jwt_algorithms:
        raise InvalidArgumentError("--auth jwt: pin the algorithms with --jwt-algorithms", field="--jwt-algorithms")
    for name in ("jwt_issuer", "jwt_audience"):
        if not getattr(settings, name):
            flag = f"--{name.replace('_', '-')}"
            raise InvalidArgumentError(f"--auth jwt: say with {flag} what tokens have to name", field=flag)
    rules = JwtRules(issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    return JwtVerifier(await _keys(settings, clock), rules, clock)


def services_verifier(settings: Settings, clock: Clock) -> JwtVerifier | None:
    """Return who checks the tokens of the services' own secret, None when there is none."""
    if not settings.services_secret:
        return None
    key = shared_secret(settings.services_secret, "--services-secret")
    return JwtVerifier(FixedKeys([key]), JwtRules(of_services=True), clock)


async def _keys(settings: Settings, clock: Clock) -> Keys:
    given = [name for name in ("jwt_secret", "jwt_key", "jwt_jwks") if getattr(settings, name)]
    if len(given) != 1:
        raise InvalidArgumentError("--auth jwt: give one of --jwt-secret, --jwt-key and --jwt-jwks", field="--jwt-key")
    public = [algorithm for algorithm in settings.jwt_algorithms if algorithm != "HS256"]
    is_secret = settings.jwt_secret is not None
    if is_secret != (not public) or (is_secret and settings.jwt_algorithms != ("HS256",)):
        raise InvalidArgumentError(
            "--jwt-algorithms: HS256 goes with --jwt-secret alone, RS256 and EdDSA with a public key",
            field="--jwt-algorithms",
        )
    if settings.jwt_secret is not None:
        return FixedKeys([shared_secret(settings.jwt_secret, "--jwt-secret")])
    if settings.jwt_key is not None:
        return FixedKeys([await _key_of_file(settings.jwt_key, public)])
    return await _fetched(str(settings.jwt_jwks), public, clock)


async def _key_of_file(path: Path, algorithms: list[str]) -> Key:
    if len(algorithms) != 1:
        raise InvalidArgumentError("--jwt-algorithms: a key of one file has one algorithm", field="--jwt-algorithms")
    try:
        pem = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise InvalidArgumentError(f"--jwt-key: cannot read {path}: {error.strerror}", field="--jwt-key") from error
    return await asyncio.to_thread(public_key, pem, algorithms[0], "--jwt-key")


async def _fetched(where: str, algorithms: list[str], clock: Clock) -> Keys:
    """Return the keys of a file or an address. A file has to be there from the start; an address may be down."""
    parts = urlsplit(where)
    if parts.scheme in ("http", "https"):
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InvalidArgumentError("--jwt-jwks: keys are fetched over https only", field="--jwt-jwks")
        return FetchedKeys(partial(asyncio.to_thread, _download, where), algorithms, clock)
    path = Path(where)
    try:
        key_set(await asyncio.to_thread(path.read_bytes), algorithms)
    except OSError as error:
        raise InvalidArgumentError(f"--jwt-jwks: cannot read {path}: {error.strerror}", field="--jwt-jwks") from error
    return FetchedKeys(partial(asyncio.to_thread, path.read_bytes), algorithms, clock)


class _Straight(urllib.request.HTTPRedirectHandler):
    """Goes where it was told and nowhere else."""

    def redirect_request(  # noqa: PLR0917 - as the library calls it
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


def _download(url: str) -> bytes:
    """Fetch a set; raises OSError (URLError is one), and ValueError for one that is too large. Blocks."""
    opener = urllib.request.build_opener(_Straight)
    with opener.open(url, timeout=_PATIENCE) as answer:
        body: Any = answer.read(_MAX_SET + 1)
    if len(body) > _MAX_SET:
        raise ValueError("the set of keys is too large")
    return bytes(body)
