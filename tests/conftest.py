"""What holds for every test: nothing blocks the event loop, and the environment is clean."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("ci")

OURS = ("TASKCOPILOT_", "TASK_DB_PATH", "WORKSPACE_ID", "HTTP_API_", "LOG_LEVEL")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of whoever runs the tests into them."""
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    """Fail a test in which our code blocks the event loop."""
    with blockbuster_ctx("taskcopilot") as blockbuster:
        for name, function in blockbuster.functions.items():
            if "lock" in name.lower():
                function.deactivate()  # coverage takes locks inside of what it measures: wrapped, they can deadlock
            function.can_block_in("workspace.py", {"at", "of"})  # before anything is served
            function.can_block_in("follower.py", {"_metadata"})  # 2 us, and a thread hop would cost fifty
        yield blockbuster
