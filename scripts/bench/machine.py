"""The machine: what it is, which core does what, and what a process costs."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

__all__ = [
    "CORES",
    "LOAD_CORE",
    "SERVER_CORE",
    "cpu_seconds",
    "describe",
    "descriptors",
    "pin",
    "resident",
    "waited_seconds",
]

_CORES: Final = sorted(os.sched_getaffinity(0))

SERVER_CORE: Final = _CORES[0]
LOAD_CORE: Final = _CORES[-1]
"""With one core both are the same, and the report says so."""

CORES: Final = len(_CORES)

_MIB: Final = 1024 * 1024
_CLOCK_OF_ALL_THREADS: Final = 2


def pin(core: int) -> None:
    """Keep this process, and those that it starts, on one core."""
    os.sched_setaffinity(0, {core})


def cpu_seconds(pid: int) -> float:
    """Return the time that all threads of a process spent on a core, in user and kernel mode.

    Read from the process's CPU-time clock: utime and stime of /proc count in hundredths of a second, too coarse here.
    """
    return time.clock_gettime((~pid << 3) | _CLOCK_OF_ALL_THREADS)


def waited_seconds(pid: int) -> float:
    """Return the time that the threads of a process wanted to run and had to wait: others were on its core."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text("ascii").split()[1]) for thread in threads) / 1e9


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def describe() -> dict[str, str]:
    """Tell what the numbers were measured on."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "CPU": f"{_cpu_model()}, {CORES} cores",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "uvloop": _uvloop(),
        "Node": _version("node", "--version"),
        "cores": "server on one, load on another" if CORES > 1 else "server and load share one",
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _uvloop() -> str:
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return "absent"
    return str(uvloop.__version__)


def _version(command: str, option: str) -> str:
    if shutil.which(command) is None:
        return "absent"
    return subprocess.run([command, option], capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if sys.platform != "linux":
    raise SystemExit("error: the benchmarks read /proc and pin cores: Linux only")
