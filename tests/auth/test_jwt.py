"""JSON Web Tokens: which are good, with which keys (A5)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from taskcopilot.auth.access import Scope
from taskcopilot.auth.jwt import JwtRules, JwtVerifier
from taskcopilot.auth.keys import FetchedKeys, FixedKeys, key_set, public_key, shared_secret
from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.verifying import jwt_verifier
from tests.helpers.clock import FakeClock

SECRET = "a secret of the tests that is long enough"  # noqa: S105
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
ED = ed25519.Ed25519PrivateKey.generate()
NOW = int(datetime(2026, 1, 8, 12, 0, tzinfo=UTC).timestamp())


NAMES = {"jwt_issuer": "us", "jwt_audience": "bridge"}


def pem(key: Any) -> bytes:
    """Return a public key as PEM."""
    found: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


def signed(key: Any = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    """Return a token that is good by default."""
    standard = {"exp": NOW + 60, "iss": "us", "aud": "bridge", "scope": "read write"}
    kept = {name: value for name, value in {**standard, **claims}.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers=headers)


def forged(header: dict[str, Any], signature: str = "AAAA", **claims: Any) -> str:
    """Return a token with any header and any signature."""
    parts = (orjson.dumps(header), orjson.dumps({"exp": NOW + 60, "iss": "us", "aud": "bridge", **claims}))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), signature])


def verifier(*keys: Any) -> JwtVerifier:
    """Return who checks by the secret, or by other keys."""
    rules = JwtRules(issuer="us", audience="bridge")
    return JwtVerifier(FixedKeys(keys or [shared_secret(SECRET, "x")]), rules, FakeClock())


def hmac_with_public_key() -> str:
    """Sign with the text of a public key as if it were a secret."""
    import hashlib
    import hmac

    text = forged({"alg": "HS256", "typ": "JWT"}).rpartition(".")[0]
    signature = hmac.new(pem(RSA), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def test_a_good_token_is_good() -> None:
    """A5: with its scopes, its topics, its end and its id."""
    found = await verifier().verify(signed(topics=["stream:A"], jti="7", sub="ann"))
    assert found is not None
    assert found.access.scopes == {Scope.READ, Scope.WRITE}
    assert found.access.view is not None
    assert found.access.view.sees_stream("A")
    assert (found.token_id, found.user) == ("7", "ann")
    assert found.expires_at == datetime.fromtimestamp(NOW + 90, UTC)


BAD: dict[str, Callable[[], str]] = {
    "none": lambda: forged({"alg": "none"}, ""),
    "None": lambda: forged({"alg": "nOnE"}, ""),
    "another secret": lambda: signed(SECRET + "!"),
    "another algorithm": lambda: signed(SECRET * 2, "HS512"),
    "no exp": lambda: signed(exp=None),
    "exp over": lambda: signed(exp=NOW - 31),
    "exp as text": lambda: forged({"alg": "HS256"}, exp="tomorrow"),
    "exp huge": lambda: signed(exp=10**20),
    "nbf ahead": lambda: signed(nbf=NOW + 31),
    "aud of others": lambda: signed(aud="others"),
    "no aud": lambda: signed(aud=None),
    "iss of others": lambda: signed(iss="others"),
    "no iss": lambda: signed(iss=None),
    "crit": lambda: signed(headers={"crit": ["b64"], "b64": True}),
    "unknown crit": lambda: signed(headers={"crit": ["x"], "x": 1}),
    "kid as path": lambda: forged({"alg": "HS256", "kid": "../../../../dev/null"}),
    "kid as list": lambda: forged({"alg": "HS256", "kid": ["a"]}),
    "two algorithms": lambda: forged({"alg": ["HS256", "none"]}),
    "long": lambda: signed(filler="x" * 100_000),
    "no token": lambda: "x.y.z",
    "not ASCII": lambda: "\u00e9.\u00e9.\u00e9",
    "deep": lambda: forged({"alg": "HS256", "x": "["}),
    "topics that are none": lambda: signed(topics=["nonsense"]),
    "topics of another kind": lambda: signed(topics=[7]),
    "public key as secret": hmac_with_public_key,
}


@pytest.mark.parametrize("fault", BAD)
async def test_a_bad_token_is_bad(fault: str) -> None:
    """A5: whatever is wrong with it; with the secret and with a public key alike."""
    token = BAD[fault]()
    assert await verifier().verify(token) is None
    assert await verifier(public_key(pem(RSA), "RS256", "x")).verify(token) is None


async def test_clocks_may_differ_by_half_a_minute() -> None:
    """A5: either way."""
    assert await verifier().verify(signed(exp=NOW - 29)) is not None
    assert await verifier().verify(signed(nbf=NOW + 29)) is not None


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (ED, "EdDSA")])
async def test_public_keys_serve_their_algorithm_alone(key: Any, algorithm: str) -> None:
    """A5: a header does not choose how it is checked."""
    checker = verifier(public_key(pem(key), algorithm, "x"))
    assert await checker.verify(signed(key, algorithm)) is not None
    assert await checker.verify(signed(SECRET)) is None
    assert await verifier().verify(signed(key, algorithm)) is None


def jwks(*keys: Any) -> bytes:
    """Return a set of keys, each (kid, key, algorithm)."""
    return orjson.dumps(
        {
            "keys": [
                {**jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True), "kid": kid}
                for kid, key, algorithm in keys
            ]
            + [{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, {"kty": "RSA"}, 7]
        }
    )


async def test_a_set_is_fetched_again_for_a_new_id_and_not_too_often() -> None:
    """A5: ids are made up by anybody; a set that cannot be had leaves the last one in force."""
    clock, sets, fetches = FakeClock(), [jwks(("a", RSA, "RS256"))], []

    async def fetch() -> bytes:
        fetches.append(clock.monotonic())
        if not sets:
            raise OSError("down")
        return sets[-1]

    checker = JwtVerifier(FetchedKeys(fetch, ["RS256", "EdDSA"], clock), JwtRules(), clock)
    assert await checker.verify(signed(RSA, "RS256", headers={"kid": "a"})) is not None
    new = signed(ED, "EdDSA", headers={"kid": "b"})
    sets[0] = jwks(("a", RSA, "RS256"), ("b", ED, "EdDSA"))
    for _ in range(100):
        assert await checker.verify(new) is None
    assert fetches == [0.0]
    clock.advance(30)
    assert await checker.verify(new) is not None
    sets.clear()
    clock.advance(1_000)
    late = signed(ED, "EdDSA", headers={"kid": "b"}, exp=NOW + 5_000)
    assert await checker.verify(late) is not None
    assert fetches == [0.0, 30.0, 1_030.0]


def test_secrets_and_unknown_keys_of_a_set_are_passed_over() -> None:
    """A5: a public set holds public keys."""
    assert [key.kid for key in key_set(jwks(("a", RSA, "RS256")), ["RS256", "EdDSA"])] == ["a"]


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        ({}, "--jwt-algorithms"),
        ({"jwt_algorithms": "HS256", "jwt_issuer": ""}, "--jwt-issuer"),
        ({"jwt_algorithms": "HS256", "jwt_audience": ""}, "--jwt-audience"),
        ({"jwt_algorithms": "HS256"}, "--jwt-key"),
        ({"jwt_algorithms": "HS256", "jwt_secret": "short"}, "--jwt-secret"),
        ({"jwt_algorithms": "HS256", "jwt_secret": pem(RSA).decode()}, "--jwt-secret"),
        ({"jwt_algorithms": "HS256,RS256", "jwt_secret": SECRET}, "--jwt-algorithms"),
        ({"jwt_algorithms": "RS256", "jwt_secret": SECRET}, "--jwt-algorithms"),
        ({"jwt_algorithms": "HS256", "jwt_key": "/nowhere"}, "--jwt-algorithms"),
        ({"jwt_algorithms": "RS256", "jwt_key": "/nowhere"}, "--jwt-key"),
        ({"jwt_algorithms": "RS256", "jwt_jwks": "http://keys.example/"}, "--jwt-jwks"),
        ({"jwt_algorithms": "RS256", "jwt_jwks": "/nowhere"}, "--jwt-jwks"),
        ({"jwt_algorithms": "RS256", "jwt_jwks": "a", "jwt_key": "b"}, "--jwt-key"),
    ],
)
async def test_settings_that_do_not_fit_are_named(flags: dict[str, Any], field: str) -> None:
    """A5: the algorithms are pinned, and each has its own kind of key."""
    with pytest.raises(InvalidArgumentError) as refused:
        await jwt_verifier(Settings.load({**NAMES, "auth": "jwt", **flags}, {}), FakeClock())
    assert refused.value.field == field


async def test_keys_of_files_are_read(tmp_path: Path) -> None:
    """A5: a PEM, and a set."""
    (tmp_path / "key.pem").write_bytes(pem(ED))
    (tmp_path / "set.json").write_bytes(jwks(("a", RSA, "RS256")))
    by_key = Settings.load({**NAMES, "jwt_algorithms": "EdDSA", "jwt_key": str(tmp_path / "key.pem")}, {})
    by_set = Settings.load({**NAMES, "jwt_algorithms": "RS256", "jwt_jwks": str(tmp_path / "set.json")}, {})
    assert await (await jwt_verifier(by_key, FakeClock())).verify(signed(ED, "EdDSA")) is not None
    shown = signed(RSA, "RS256", headers={"kid": "a"})
    assert await (await jwt_verifier(by_set, FakeClock())).verify(shown) is not None
