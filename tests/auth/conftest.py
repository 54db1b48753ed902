"""Fixtures of the tests of tokens: those of the integration tests, and tokens as the command makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.helpers.server import RunningServer
from tests.helpers.tokens import Tokens
from tests.integration.conftest import Serve, serve

__all__ = ["serve"]


@pytest.fixture
async def guarded(serve: Serve) -> RunningServer:
    """A bridge that asks for static tokens, whose time stands still."""
    return await serve(auth=("token",))


@pytest.fixture
def tokens(guarded: RunningServer) -> Tokens:
    """Makes and revokes tokens of the bridge."""
    return Tokens(guarded)


Ask = Callable[..., Awaitable[int]]
