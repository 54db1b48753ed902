"""Faults in the system calls of a process that runs already: strace attaches, and lets go again when told to.

SQLite writes the WAL with pwrite64 and syncs it with fdatasync; nothing else in a bridge uses either.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.processes import Lines
from tests.helpers.waiting import DEADLINE

__all__ = ["injecting", "require_strace"]

SYNC = "fdatasync"
WRITE = "pwrite64"


def require_strace() -> None:
    """Skip the test, saying why, where strace is not there or may not attach."""
    if reason := _why_not():
        pytest.skip(reason)


@functools.cache
def _why_not() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        try:
            with injecting(child.pid, SYNC, "error=EIO:when=1"):
                return ""
        except AssertionError as error:
            return f"strace may not attach to processes here: {error}"
        finally:
            child.kill()


@contextlib.contextmanager
def injecting(pid: int, call: str, fault: str, *, new_threads: bool = True) -> Iterator[None]:
    """While the block runs, calls fail in the way that `fault` says, as strace's `inject=` has it.

    `when=` counts for each thread by itself. Without `new_threads` those that begin from now on are spared.
    """
    threads = [pid] if new_threads else [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    which = [argument for thread in threads for argument in ("-p", str(thread))]
    strace = subprocess.Popen(
        ["strace", *(["-f"] if new_threads else []), "-o", "/dev/null", "-e", f"inject={call}:{fault}", *which],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert strace.stderr
    said = Lines(strace.stderr)
    try:
        for _ in threads:
            assert "attached" in (line := said.next()), line
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        try:
            strace.wait(DEADLINE)
        finally:
            strace.kill()
            strace.wait()
            said.text()
            strace.stderr.close()
