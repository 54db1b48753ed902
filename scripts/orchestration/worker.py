"""Runs one stream: its commands one after the other, every step recorded through the tools.

A call that cannot reach the bridge is repeated with the same idempotency key until it can: a restart of the bridge in
the middle of a plan costs time, never a step, and nothing is recorded twice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from orchestration.plan import Step, Stream

__all__ = ["Bridge", "Cancelled", "Recorded", "Worker"]

_TAIL: Final = 4_000
"""Characters of a command's output that are kept: its end, where errors are."""

RETRY: Final = 0.5
"""Seconds between two tries to reach the bridge."""


class Bridge(Protocol):
    """What the worker asks of the client."""

    def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool and return its answer; raises ConnectionError when the bridge cannot be reached."""
        ...


class Cancelled(Exception):  # noqa: N818 - not an error, a wish
    """The run was stopped by its user."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step and the task that stands for it in the bridge."""

    step: Step
    task_id: str


class Worker:
    """Works through streams, one per call of `run`, each in a thread of the caller's."""

    def __init__(self, bridge: Bridge, run: str, directory: Path, unreachable: Callable[[BaseException], bool]) -> None:
        self._bridge = bridge
        self._run = run
        self._directory = directory
        self._unreachable = unreachable
        self._stop = threading.Event()
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def record(self, key: str, tool: str, **arguments: Any) -> Any:
        """Call a tool that writes, as often as it takes; `key` makes the repetitions one call."""
        while True:
            try:
                return self._bridge.call(tool, **arguments, idempotencyKey=f"{self._run}:{key}")
            except Exception as error:
                if not self._unreachable(error):
                    raise
            if self._stop.wait(RETRY):
                raise Cancelled

    def run(self, stream: Stream, steps: list[Recorded]) -> None:
        """Run the steps until one fails; that one is recorded as blocked, with the end of its output."""
        agent = f"worker-{stream.id}"
        for recorded in steps:
            key = recorded.task_id
            self.record(f"{key}:claim", "task_claim", id=recorded.task_id, agent=agent, leaseSeconds=86_400)
            self.record(f"{key}:start", "task_update", id=recorded.task_id, status="in_progress")
            code, output = self._execute(recorded.step.run)
            self._keep(recorded, output)
            if code:
                reason = f"`{recorded.step.run}` ended with exit code {code}"
                self.record(
                    f"{key}:end",
                    "task_update",
                    id=recorded.task_id,
                    status="blocked",
                    blockedReason=reason,
                    notes=output,
                )
                return
            self.record(f"{key}:end", "task_update", id=recorded.task_id, status="completed")

    def stop(self) -> None:
        """End the commands that run, and all waiting."""
        self._stop.set()
        with self._lock:
            for process in self._processes:
                _end(process)

    def _keep(self, recorded: Recorded, output: str) -> None:
        content = f"# {recorded.step.title}\n\n```\n$ {recorded.step.run}\n{output or '(no output)'}\n```\n"
        title = f"Output of: {recorded.step.title}"
        key = f"{recorded.task_id}:output"
        self.record(key, "work_product_store", taskId=recorded.task_id, type="other", title=title, content=content)

    def _execute(self, command: str) -> tuple[int, str]:
        if self._stop.is_set():
            raise Cancelled
        process = subprocess.Popen(  # noqa: S602 - a plan is a list of shell commands, as a Makefile is
            command,
            shell=True,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that what the shell started ends with it
        )
        with self._lock:
            self._processes.add(process)
            if self._stop.is_set():
                _end(process)  # it was started while the others were being ended
        try:
            output, _ = process.communicate()
        finally:
            with self._lock:
                self._processes.discard(process)
        if self._stop.is_set():
            raise Cancelled
        return process.returncode, output[-_TAIL:]


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
