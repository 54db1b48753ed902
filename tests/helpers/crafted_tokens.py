"""JSON Web Tokens with one thing wrong each, signed with the right secret wherever that is not what is wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["SECRET", "SETTINGS", "crafted", "crafted_tokens"]

SECRET: Final = "a secret of the tests that is long enough"  # noqa: S105
SETTINGS: Final[dict[str, Any]] = {
    "auth": ("jwt",),
    "jwt_algorithms": ("HS256",),
    "jwt_secret": SECRET,
    "jwt_issuer": "us",
    "jwt_audience": "bridge",
}
"""What a bridge has to be told to take a token that `crafted` makes by default."""


def crafted(now: int, header: Any = None, secret: bytes = SECRET.encode(), **claims: Any) -> str:
    """Return a token with any header, signed as HS256 whatever that says; a claim that is None is left out."""
    standard = {"exp": now + 60, "iss": "us", "aud": "bridge", "scope": "read write admin"}
    kept = {name: value for name, value in {**standard, **claims}.items() if value is not None}
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    return _signed(f"{_part(orjson.dumps(head))}.{_part(orjson.dumps(kept))}", secret)


def crafted_tokens(now: int) -> dict[str, str]:
    """Return the tokens by what is wrong with them."""
    made = dict(_algorithms(now))
    for family in (_headers, _signatures, _shapes, _claims):
        made.update(family(now))
    return made


def _algorithms(now: int) -> Iterator[tuple[str, str]]:
    names = ["none", "None", "NONE", "nOnE", "", None, 7, ["HS256"], ["HS256", "none"], {}, True, "hs256", "HS256 "]
    names += ["HS384", "HS512", "RS256", "RS512", "ES256", "PS256", "EdDSA", "dir"]
    for name in names:
        yield f"alg {name!r}", crafted(now, {"alg": name, "typ": "JWT"})
    yield "no alg", crafted(now, {"typ": "JWT"})
    yield "alg none without a signature", crafted(now, {"alg": "none"}).rpartition(".")[0] + "."


def _headers(now: int) -> Iterator[tuple[str, str]]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    own = jwt.get_algorithm_by_name("RS256").to_jwk(public, as_dict=True)
    claims = {"exp": now + 60, "iss": "us", "aud": "bridge", "scope": "read"}
    for name, more in (("jwk", own), ("jku", "http://127.0.0.1:9/keys"), ("x5u", "file:///etc/passwd")):
        yield f"its own key by {name}", jwt.encode(claims, key, "RS256", headers={name: more})
    yield "a public key as the secret", crafted(now, secret=pem)
    yield "crit", crafted(now, {"alg": "HS256", "crit": ["exp"]})
    yield "crit of b64", crafted(now, {"alg": "HS256", "crit": ["b64"], "b64": False})
    yield "crit that is empty", crafted(now, {"alg": "HS256", "crit": []})
    yield "kid as a list", crafted(now, {"alg": "HS256", "kid": ["a"]})
    yield (
        "kid as a path, and its content as the secret",
        crafted(now, {"alg": "HS256", "kid": "../../../../../../dev/null"}, secret=b""),
    )
    yield "kid as SQL", crafted(now, {"alg": "HS256", "kid": "x' UNION SELECT 'key'--"}, secret=b"key")
    yield "header as a list", crafted(now, ["HS256"])
    yield "header as text", crafted(now, "HS256")


def _signatures(now: int) -> Iterator[tuple[str, str]]:
    good = crafted(now)
    body, _, signature = good.rpartition(".")
    yield "no signature", f"{body}."
    yield "half a signature", f"{body}.{signature[:20]}"
    yield "a changed signature", f"{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    yield "the signature twice", f"{good}{signature}"
    yield "another secret", crafted(now, secret=SECRET.encode() + b"!")
    yield "the empty secret", crafted(now, secret=b"")
    header, payload, _ = good.split(".")
    yield "changed claims", f"{header}.{_part(b'{}')}.{signature}"
    yield "swapped parts", f"{payload}.{header}.{signature}"


def _shapes(now: int) -> Iterator[tuple[str, str]]:
    good = crafted(now)
    yield "two parts", good.rpartition(".")[0]
    yield "four parts", f"{good}.AAAA"
    yield "five parts", f"{good}.AAAA.AAAA"
    yield "dots", ".."
    yield "no base64", "!.!.!"
    yield "a header that is no JSON", _signed(f"{_part(b'{')}.{_part(b'{}')}", SECRET.encode())
    yield "claims that are no JSON", _signed(f"{good.split('.')[0]}.{_part(b'{')}", SECRET.encode())
    yield "claims that are a list", _signed(f"{good.split('.')[0]}.{_part(b'[]')}", SECRET.encode())
    yield "deep claims", _signed(f"{good.split('.')[0]}.{_part(b'[' * 3_000)}", SECRET.encode())
    yield "a static token of nobody", f"tcb_{'a' * 10}_{'A' * 43}"


def _claims(now: int) -> Iterator[tuple[str, str]]:
    for name, claims in {
        "no exp": {"exp": None},
        "exp over": {"exp": now - 31},
        "exp as text": {"exp": str(now + 60)},
        "exp as true": {"exp": True},
        "exp as a list": {"exp": [now + 60]},
        "exp beyond time": {"exp": 10**18},
        "exp negative": {"exp": -1},
        "nbf ahead": {"nbf": now + 31},
        "nbf as text": {"nbf": "now"},
        "no iss": {"iss": None},
        "iss of others": {"iss": "others"},
        "iss as a list": {"iss": ["us"]},
        "no aud": {"aud": None},
        "aud of others": {"aud": "others"},
        "aud that begins so": {"aud": "bridge2"},
        "aud of other lists": {"aud": ["a", "b"]},
        "aud as nothing": {"aud": []},
        "topics that are none": {"topics": ["nonsense"]},
        "topics of another kind": {"topics": [7]},
        "topics as a number": {"topics": 7},
        "scopes as a number": {"scopes": 7},
    }.items():
        yield name, crafted(now, **claims)


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _signed(text: str, secret: bytes) -> str:
    return f"{text}.{_part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
