"""Processes that are measured or put load: started on a core, told what to do by JSON lines, always stopped."""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, ParamSpec, TypeVar

from bench.machine import SERVER_CORE, pin

__all__ = ["CACHE", "ROOT", "Process", "in_process", "scratch", "started"]

P = ParamSpec("P")
T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".cache" / "bench"

_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""

PATIENCE: Final = 180.0
"""Seconds after which an answer counts as never coming."""


class Process:
    """A process that answers each JSON line on its standard input with one on its standard output."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def tell(self, **command: Any) -> None:
        """Send a command."""
        _pipe(self._popen.stdin).write(json.dumps(command).encode() + b"\n")
        _pipe(self._popen.stdin).flush()

    def answer(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait for the next answer; an error in it is raised here."""
        out = _pipe(self._popen.stdout)
        if not select.select([out], [], [], patience)[0]:
            raise TimeoutError(f"no answer from {self._popen.args} within {patience:g} s")
        line = out.readline()
        if not line:
            raise RuntimeError(f"{self._popen.args} ended with exit code {self._popen.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.tell(**command)
        return self.answer()


@contextlib.contextmanager
def started(command: Sequence[str], *, core: int | None = SERVER_CORE, **variables: str) -> Iterator[Process]:
    """Run a command on a core (None: on any); at the end it is killed and gone."""
    popen = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(**variables),
        preexec_fn=partial(_settle, core),  # noqa: PLW1509 - we have no threads at that time
        bufsize=0,
    )
    try:
        yield Process(popen)
    finally:
        popen.kill()
        popen.wait()
        for pipe in (popen.stdin, popen.stdout):
            _pipe(pipe).close()


def _settle(core: int | None) -> None:
    """In the new process: take its core, and die with us, however we end."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if core is not None:
        pin(core)


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that finds these benchmarks and the bridge; settings of ours are left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKCOPILOT_", "HTTP_API_"))}
    path = os.pathsep.join(
        filter(None, (str(ROOT / "scripts"), str(ROOT), str(ROOT / "client"), kept.get("PYTHONPATH")))
    )
    return {**kept, "PYTHONPATH": path, "LOG_LEVEL": "warning", **variables}


def in_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a fresh process on the server's core and return what it returns."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=pin, initargs=(SERVER_CORE,)) as pool:
        return pool.submit(function, *args, **kwargs).result()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a directory on the disk of this repository (the system's own may be in memory), and remove it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        yield Path(directory)


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of these benchmarks."""
    return [sys.executable, "-m", module, *arguments]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the process was started without this pipe")
    return pipe
