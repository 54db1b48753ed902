"""Fixtures of the services' tests: `house`, a whole bridge with every service on a free port of its own.

`house.client("mahavishnu")` is a client that speaks every dialect (tests/helpers/dialects.py) and has read its welcome;
`Mahavishnu(house.publisher)` are the broadcasts. Time stands still until `house.clock.advance(seconds)`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.dialects import House, open_house

OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_services(tmp_path: Path) -> AsyncIterator[OpenHouse]:
    """Opens bridges with services, each with settings of its own."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(**options: Any) -> House:
            return await stack.enter_async_context(open_house(tmp_path, **options))

        yield start


@pytest.fixture
async def house(open_services: OpenHouse) -> House:
    """A bridge with every service on a free port."""
    return await open_services()
