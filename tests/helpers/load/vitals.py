"""What the kernel knows of a process: memory, processor time, open descriptors, threads."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Vitals:
    """A process at one moment. `rss` is in MiB, `cpu` and `at` are in seconds."""

    rss: float
    cpu: float
    at: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Vitals:
        """Look at a process."""
        place = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        times = (place / "stat").read_text().rpartition(")")[2].split()
        return cls(
            rss=int(status["VmRSS"].split()[0]) / 1024,
            cpu=(int(times[11]) + int(times[12])) / _TICKS,
            at=time.monotonic(),
            descriptors=len(list((place / "fd").iterdir())),
            threads=int(status["Threads"]),
        )

    def load_since(self, earlier: Vitals) -> float:
        """Return the share of one core that the process used since then."""
        return (self.cpu - earlier.cpu) / (self.at - earlier.at)
