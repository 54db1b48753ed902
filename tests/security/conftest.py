"""Fixtures of the security tests: `server` and `serve` as in tests/integration, and `watched`, a bridge to be hurt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import serve, server
from tests.security.watched import Watched, watching

__all__ = ["serve", "server"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A bridge as a process of its own, for all tests of a file; at the end its log must hold no traceback."""
    with watching(tmp_path_factory.mktemp("watched")) as bridge:
        yield bridge
