"""Sets of keys as they are fetched: from a file and over HTTP, new ones, and what is no set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from taskcopilot.auth.jwt import JwtVerifier
from taskcopilot.config import Settings
from taskcopilot.web.verifying import jwt_verifier
from tests.auth.test_jwt import ED, NAMES, RSA, jwks, signed
from tests.helpers.clock import FakeClock


@dataclass
class Issuer:
    """Somebody who publishes keys."""

    url: str = ""
    answer: Callable[[], web.Response] = field(default=lambda: web.Response(body=jwks(("a", RSA, "RS256"))))
    asked: int = 0

    async def serve(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return self.answer()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer on this machine."""
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/keys", issuer.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    yield issuer
    await runner.cleanup()


async def verifier(where: str, clock: FakeClock) -> JwtVerifier:
    """Return who checks by the set that is there."""
    flags = {**NAMES, "jwt_algorithms": "RS256,EdDSA", "jwt_jwks": where}
    return await jwt_verifier(Settings.load(flags, {}), clock)


def of(kid: str | None) -> str:
    """Return a token of one of the issuer's keys."""
    headers = {} if kid is None else {"kid": kid}
    return signed(ED, "EdDSA", headers=headers) if kid == "b" else signed(RSA, "RS256", headers=headers)


async def test_keys_are_rotated_over_http(issuer: Issuer) -> None:
    """A5: a new one is found when a token names it, an old one is worth nothing once it is gone from the set."""
    clock = FakeClock()
    checker = await verifier(issuer.url, clock)
    assert await checker.verify(of("a")) is not None
    issuer.answer = lambda: web.Response(body=jwks(("b", ED, "EdDSA")))
    assert await checker.verify(of("b")) is None, "asked a moment ago"
    clock.advance(30)
    assert await checker.verify(of("b")) is not None
    assert await checker.verify(of("a")) is None
    assert issuer.asked == 2


async def test_keys_are_rotated_in_a_file(tmp_path: Path) -> None:
    """A5: the file is read anew, and while it is gone the last set counts."""
    file, clock = tmp_path / "keys.json", FakeClock()
    file.write_bytes(jwks(("a", RSA, "RS256")))
    checker = await verifier(str(file), clock)
    assert await checker.verify(of("a")) is not None
    file.write_bytes(jwks(("b", ED, "EdDSA")))
    clock.advance(30)
    assert await checker.verify(of("b")) is not None
    file.unlink()
    clock.advance(30)
    assert await checker.verify(of("unknown")) is None
    assert await checker.verify(of("b")) is not None


BAD = {
    "a redirect": lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
    "an error": lambda: web.Response(status=500, body=jwks(("a", RSA, "RS256"))),
    "no JSON": lambda: web.Response(text="<html>"),
    "no set": lambda: web.json_response({"keys": 7}),
    "a large one": lambda: web.Response(body=jwks(("a", RSA, "RS256")) + b" " * 2_000_000),
    "a secret": lambda: web.json_response({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}]}),
    "another algorithm": lambda: web.Response(body=jwks(("a", RSA, "RS256")).replace(b'"RSA"', b'"EC"')),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_set_opens_nothing_and_is_overcome(issuer: Issuer, name: str) -> None:
    """A5: neither does it end the bridge; the next good one counts."""
    good, issuer.answer = issuer.answer, BAD[name]
    clock = FakeClock()
    checker = await verifier(issuer.url, clock)
    assert await checker.verify(of("a")) is None
    issuer.answer = good
    clock.advance(30)
    assert await checker.verify(of("a")) is not None


async def test_many_tokens_at_once_fetch_once(issuer: Issuer) -> None:
    """A5: however many come with ids that nobody knows."""
    checker = await verifier(issuer.url, FakeClock())
    found = await asyncio.gather(*(checker.verify(of(kid)) for kid in ["a", "x", "../a", "y"] * 10))
    assert sum(each is not None for each in found) == 10
    assert issuer.asked == 1
