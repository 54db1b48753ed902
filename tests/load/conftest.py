"""The bridge under load, for every test here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.load.bridge import Bridge, running_bridge


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    """Serve a new workspace."""
    with running_bridge(tmp_path) as running:
        yield running
