"""The bridge that is put under load: a process of its own, as in use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.helpers import processes
from tests.helpers.load.vitals import Vitals

NOISE = 10
"""How far the times of a shared machine may be above those that hold on a quiet one."""


@dataclass(frozen=True)
class Bridge:
    """A bridge that runs."""

    pid: int
    port: int
    database: Path

    def vitals(self) -> Vitals:
        """Look at the process."""
        return Vitals.of(self.pid)


@contextlib.contextmanager
def running_bridge(home: Path) -> Iterator[Bridge]:
    """Serve a new workspace; afterwards the bridge must end in order, and must not have logged a defect."""
    with processes.bridge(home, "--db", "tasks.db") as (process, ready):
        port = urlsplit(ready["url"]).port
        assert port
        yield Bridge(process.pid, port, home / "tasks.db")
        code, _ = process.stop()
        log = process.err.text()
        assert (code, "Traceback" in log) == (0, False), log[-2_000:]
