"""One attempt to deliver a message: bounded in time, and nothing of the answer but its status is of interest."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from taskcopilot.store.webhooks import Webhook
from taskcopilot.web.webhooks.message import Message
from taskcopilot.web.webhooks.target import GuardedResolver, check_url

__all__ = ["Outcome", "Sender"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)
_LONGEST_WISH: Final = 3_600.0
"""Seconds of Retry-After that are heeded at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    delivered: bool
    reason: str = ""
    gone: bool = False
    """True when the endpoint wants nothing any more."""
    retry_after: float = 0.0
    """Seconds that it asks for."""


class Sender:
    """Sends to the addresses that one policy allows. Close it when it is not needed any more."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=GuardedResolver(private=private), force_close=True),
            timeout=_TIMEOUT,
            trust_env=False,
        )

    async def send(self, webhook: Webhook, message: Message) -> Outcome:
        """Try once. Never raises; redirects are not followed, and the body of the answer is not read."""
        try:
            check_url(webhook.url, private=self._private)
            async with self._session.post(
                webhook.url, data=message.body, headers=message.headers, allow_redirects=False
            ) as answer:
                return _outcome(answer.status, answer.headers.get("Retry-After", ""))
        except TimeoutError:
            return Outcome(delivered=False, reason="no answer in time")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this endpoint's failure
            return Outcome(delivered=False, reason=f"{type(error).__name__}: {error}"[:200])

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()


def _outcome(status: int, retry_after: str) -> Outcome:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(delivered=True)
    wish = min(float(retry_after), _LONGEST_WISH) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return Outcome(delivered=False, reason=f"it answered {status}", gone=status == HTTPStatus.GONE, retry_after=wish)
