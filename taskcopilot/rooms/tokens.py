"""Tokens that clients show: JSON Web Tokens signed with HS256, and no other algorithm, whatever their header says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

import orjson

from taskcopilot.clock import Clock

__all__ = ["Verify", "verifier"]

Verify = Callable[[str], dict[str, Any] | None]
"""Returns the claims of a token, None for one that is not valid now."""

MAX_TOKEN: Final = 8_192
_PARTS: Final = 3


def verifier(secret: str, clock: Clock) -> Verify:
    """Return who checks tokens against the secret: signature, algorithm, and `exp` and `nbf` where they are given."""
    key = secret.encode()

    def verify(token: str) -> dict[str, Any] | None:
        claims = _claims(token, key)
        if claims is None:
            return None
        now = clock.now().timestamp()
        return claims if _is_after(claims.get("exp"), now) and not _is_after(claims.get("nbf", 0), now) else None

    return verify


def _claims(token: str, key: bytes) -> dict[str, Any] | None:
    """Return the claims of a token whose signature is right."""
    parts = token.split(".") if token.isascii() and len(token) <= MAX_TOKEN else []
    if len(parts) != _PARTS:
        return None
    try:
        header, claims = (orjson.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
    except (binascii.Error, ValueError):
        return None
    right = hmac.new(key, f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(right, signature) or not isinstance(header, dict) or header.get("alg") != "HS256":
        return None
    return claims if isinstance(claims, dict) else None


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _is_after(moment: Any, now: float) -> bool:
    """Tell whether a moment, where one is given, is after now; what is no number never is."""
    if moment is None:
        return True
    return isinstance(moment, int | float) and not isinstance(moment, bool) and moment > now
