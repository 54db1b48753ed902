"""Static tokens: `tcb_<id>_<secret>`, made once, stored as a hash, compared in constant time.

The secret is 256 random bits, so one round of SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from taskcopilot.auth.access import Access

__all__ = ["MAX_TOKEN", "Presented", "StaticToken", "is_static", "make", "split"]

MAX_TOKEN: Final = 8_192
"""Characters of any token; more is refused before it is looked at."""

_PREFIX: Final = "tcb_"
_FORM: Final = re.compile(r"tcb_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Presented:
    """A static token as somebody shows it: which one it claims to be, and the hash of its secret."""

    id: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticToken:
    """What is stored of a token. Times are ISO 8601; None for never."""

    id: str
    name: str
    hash: str
    last4: str
    access: Access
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None

    def matches(self, presented: Presented) -> bool:
        """Tell whether it is this one, in a time that says nothing about how nearly it was."""
        return hmac.compare_digest(self.hash.encode(), presented.hash.encode())

    def is_good(self, at: str) -> bool:
        """Tell whether it is in force at a moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def make(randomness: Callable[[int], bytes]) -> str:
    """Return a new token; `randomness` gives so many bytes that nobody can guess."""
    name = base64.b32encode(randomness(_ID_BYTES)).decode().rstrip("=").lower()
    return f"{_PREFIX}{name}_{base64.urlsafe_b64encode(randomness(_SECRET_BYTES)).decode().rstrip('=')}"


def is_static(text: str) -> bool:
    """Tell whether a text claims to be a static token."""
    return text.startswith(_PREFIX)


def split(text: str) -> Presented | None:
    """Read a token as it was shown; None for what cannot be one."""
    match = _FORM.fullmatch(text) if len(text) <= MAX_TOKEN else None
    return None if match is None else Presented(match[1], hashlib.sha256(match[2].encode()).hexdigest())
