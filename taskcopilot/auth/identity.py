"""Who a valid token stands for, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskcopilot.auth.access import Access
from taskcopilot.clock import iso
from taskcopilot.errors import RefusedError

__all__ = ["Identity", "unauthorized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The bearer of a token that was valid when it was shown."""

    access: Access
    expires_at: datetime | None = None
    """After this moment the token is worth nothing; None for never."""
    token_id: str | None = None
    """What revocation goes by: the id of a static token, the `jti` of a JWT."""
    user: str | None = None

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the token's time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def as_json(self) -> dict[str, Any]:
        """Return what the bearer is told about itself."""
        view = self.access.view
        return {
            "scopes": sorted(self.access.scopes),
            "topics": ["*"] if view is None else sorted(pattern.text for pattern in view.patterns),
            "expiresAt": None if self.expires_at is None else iso(self.expires_at),
        }


def unauthorized(message: str = "this bridge wants a valid token: Authorization: Bearer ...") -> RefusedError:
    """Return the error for no token, and for any that is not valid: why not is nobody's business."""
    return RefusedError(message, code="UNAUTHORIZED", status=401)
