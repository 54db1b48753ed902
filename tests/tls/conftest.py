"""Fixtures of the tests of TLS: an authority, and `serve` as in the integration tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.helpers.certificates import Authority
from tests.integration.conftest import serve

__all__ = ["authority", "certificates", "serve"]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Shake hands on both event loops: each brings a TLS of its own."""
    factories = {"asyncio": asyncio.new_event_loop}
    return factories | ({"uvloop": uvloop.new_event_loop} if item.path.name == "test_handshakes.py" else {})


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A directory for certificates."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    return directory


@pytest.fixture
def authority(certificates: Path) -> Authority:
    """An authority that signs into that directory."""
    return Authority(certificates)
