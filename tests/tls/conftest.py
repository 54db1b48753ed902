"""Fixtures of the tests of TLS: an authority, and `serve` as in the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.certificates import Authority
from tests.integration.conftest import serve

__all__ = ["authority", "certificates", "serve"]


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
