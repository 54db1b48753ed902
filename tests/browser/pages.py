"""Words for what the tests do with pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import ConsoleMessage, Locator, Page

__all__ = ["Shoot", "Visit", "card", "complaint", "stream"]

Visit = Callable[..., Awaitable[Page]]

Shoot = Callable[[Page, str], Awaitable[None]]


def card(page: Page, column: str, title: str) -> Locator:
    """Find a card by its column and title."""
    return page.locator(f".column[data-status={column}] .card", has_text=title)


def stream(page: Page, name: str) -> Locator:
    """Find a stream's bar by its name."""
    return page.locator(".stream").filter(has=page.get_by_text(name, exact=True))


def complaint(message: ConsoleMessage) -> list[str]:
    """Return what a message complains of; that a server that was stopped does not answer is none."""
    if message.type != "error" or "ERR_CONNECTION_REFUSED" in message.text or "WebSocket connection" in message.text:
        return []
    return [message.text]
