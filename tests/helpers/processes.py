"""Commands as processes of their own: started, listened to with a deadline, and always stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tests.helpers.waiting import DEADLINE

ROOT = Path(__file__).parents[2]


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a process that keeps its files below `home`."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "HOME": str(home), "PYTHONPATH": path, **variables}


class Lines:
    """Collects the lines of a pipe on a thread of its own."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._lines: list[str] = []
        self._taken = 0
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # closed under us
            for line in self._pipe:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def next(self) -> str:
        """Return the next line, without its end; fail when none comes."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._taken < len(self._lines) or self._ended, DEADLINE)
            assert self._taken < len(self._lines), "the pipe has ended"
            self._taken += 1
            return self._lines[self._taken - 1].rstrip("\n")

    def until(self, wanted: Callable[[str], bool]) -> str:
        """Return the next line that is wanted, skipping others."""
        while not wanted(line := self.next()):
            pass
        return line

    def text(self) -> str:
        """Return all there is once the pipe has ended."""
        self._thread.join(DEADLINE)
        assert self._ended
        return "".join(self._lines)


class Running:
    """A process that runs."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stdin
        assert popen.stdout
        assert popen.stderr
        self.popen = popen
        self.stdin = popen.stdin
        self.out = Lines(popen.stdout)
        self.err = Lines(popen.stderr)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.popen.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Write a JSON line to its standard input."""
        self.stdin.write(json.dumps(message) + "\n")
        self.stdin.flush()

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        return self.popen.wait(DEADLINE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds that it took."""
        began = time.monotonic()
        self.popen.send_signal(number)
        return self.wait(), time.monotonic() - began


@contextlib.contextmanager
def running(home: Path, *arguments: str, code: str | None = None, **variables: str) -> Iterator[Running]:
    """Run `taskcopilot` with arguments (or other Python code), and make sure that it is gone afterwards."""
    start = ["-m", "taskcopilot"] if code is None else ["-c", code]
    popen = subprocess.Popen(
        [sys.executable, *start, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env=environment(home, **variables),
    )
    process = Running(popen)
    try:
        yield process
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()
        process.out.text()
        process.err.text()
        for pipe in (popen.stdin, popen.stdout, popen.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def run(home: Path, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `taskcopilot` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "taskcopilot", *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=home,
        env=environment(home, **variables),
        timeout=DEADLINE,
        check=False,
    )


@contextlib.contextmanager
def bridge(home: Path, *arguments: str, **variables: str) -> Iterator[tuple[Running, dict[str, Any]]]:
    """Run `serve` on a free port; gives the process and its ready line."""
    with running(home, "serve", "--json", "--port", "0", *arguments, **variables) as process:
        yield process, json.loads(process.out.next())
