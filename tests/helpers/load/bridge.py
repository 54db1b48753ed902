"""The bridge that is put under load: a process of its own, as in use."""

from __future__ import annotations

import contextlib
import json
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
def running_bridge(home: Path, code: str | None = None) -> Iterator[Bridge]:
    """Serve a new workspace; afterwards the bridge must end in order, and must not have logged a defect.

    `code` is what is run instead of the module, with the same arguments.
    """
    with processes.running(home, "serve", "--json", "--port", "0", "--db", "tasks.db", code=code) as process:
        ready = json.loads(process.out.next())
        port = urlsplit(ready["url"]).port
        assert port
        yield Bridge(process.pid, port, home / "tasks.db")
        code, _ = process.stop()
        log = process.err.text()
        assert (code, "Traceback" in log) == (0, False), log[-2_000:]
