#!/usr/bin/env python3
"""Run a plan of parallel streams over a running bridge.

Everything is recorded through the bridge's tools, and a stream starts the moment the bridge's events say that
what it needs is complete.

Exit codes: 0 all done, 1 tasks are blocked, 2 the plan or the arguments are no good, 3 no bridge.
"""

from __future__ import annotations

import argparse
import queue
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.plan import Plan, PlanError, Stream, load
from orchestration.schedule import Schedule
from orchestration.view import View
from orchestration.worker import Cancelled, Recorded, Worker
from rich.console import Console

from task_copilot_client import TaskCopilotClient

Seen = tuple[str, str, Mapping[str, Any]]
"""(stream of the plan, event type, payload)."""


class Run:
    """One run of a plan: the bridge's events come in through one queue and drive everything."""

    def __init__(self, plan: Plan, client: TaskCopilotClient, directory: Path, view: View) -> None:
        self._plan = plan
        self._client = client
        self._view = view
        self._name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        self._schedule = Schedule(plan)
        self._worker = Worker(client, self._name, directory, _is_worth_repeating)
        self._events: queue.SimpleQueue[Seen | BaseException] = queue.SimpleQueue()
        self._stream_of: dict[str, str] = {self._remote(stream.id): stream.id for stream in plan.streams}
        self._threads: list[threading.Thread] = []

    def execute(self) -> Schedule:
        """Run to the end and return how it went."""
        self._client.subscribe([f"stream:*.{self._name}", "task:*"], self._on_event)
        steps = self._record_plan()
        try:
            while True:
                for stream in self._schedule.ready():
                    self._start(stream, steps[stream.id])
                if self._schedule.is_over:
                    return self._schedule
                self._take(self._events.get())
        finally:
            self._worker.stop()
            for thread in self._threads:
                thread.join()

    def _remote(self, stream_id: str) -> str:
        """Name the stream in the bridge: each run has streams of its own."""
        return f"{stream_id}.{self._name}"

    def _on_event(self, topic: str, event_type: str, data: Mapping[str, Any]) -> None:
        stream = self._stream_of.get(topic.partition(":")[2])
        if stream is not None:
            self._events.put((stream, event_type, data))

    def _take(self, seen: Seen | BaseException) -> None:
        if isinstance(seen, BaseException):
            raise seen
        self._schedule.on_event(*seen)
        self._view.on_event(*seen)

    def _record_plan(self) -> dict[str, list[Recorded]]:
        content = "\n".join(f"- {step.title}: `{step.run}`" for stream in self._plan.streams for step in stream.steps)
        title = f"{self._plan.title} (run {self._name})"
        prd = self._worker.record("prd", "prd_create", title=title, content=content)
        return {stream.id: self._record_stream(stream, prd["id"]) for stream in self._plan.streams}

    def _record_stream(self, stream: Stream, prd_id: str) -> list[Recorded]:
        metadata = {
            "streamId": self._remote(stream.id),
            "streamName": stream.name,
            "streamPhase": stream.phase,
            "streamDependencies": [self._remote(need) for need in stream.needs],
        }
        recorded = []
        for number, step in enumerate(stream.steps):
            key = f"{stream.id}:{number}"
            task = self._worker.record(
                key,
                "task_create",
                title=step.title,
                description=step.run,
                prdId=prd_id,
                assignedAgent="ta",
                metadata=metadata,
            )
            self._stream_of[task["id"]] = stream.id
            recorded.append(Recorded(step, task["id"]))
        return recorded

    def _start(self, stream: Stream, steps: list[Recorded]) -> None:
        thread = threading.Thread(target=self._work, args=(stream, steps), name=f"stream-{stream.id}")
        self._threads.append(thread)
        thread.start()

    def _work(self, stream: Stream, steps: list[Recorded]) -> None:
        try:
            self._worker.run(stream, steps)
        except Cancelled:
            pass
        except BaseException as error:  # noqa: BLE001 - it ends the run, in the main thread
            self._events.put(error)


def _is_worth_repeating(error: BaseException) -> bool:
    """Tell whether the bridge may answer the same call later: it is away, or busy, or its disk is full."""
    return isinstance(error, ConnectionError) or getattr(error, "status", 0) in (500, 503, 507)


def main() -> int:
    """Run the plan named on the command line and return the exit code; 130 when it was interrupted."""
    try:
        return _main(_arguments())
    except KeyboardInterrupt:
        return 130


def _main(arguments: argparse.Namespace) -> int:
    console = Console(stderr=True)
    try:
        plan = load(arguments.plan)
    except PlanError as error:
        console.print(f"error: {error}", markup=False, style="red")
        return 2
    client = TaskCopilotClient(arguments.url, poll_interval=2)
    if not client.connect():
        console.print(f"error: no bridge answers at {arguments.url}; start one with scripts/run", style="red")
        return 3
    with client, View(plan, console) as view:
        schedule = Run(plan, client, arguments.directory, view).execute()
    return _report(plan, schedule, console)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path, help="plan of streams (TOML; see scripts/plans)")
    parser.add_argument("--url", default="http://127.0.0.1:9090", help="the bridge (default: %(default)s)")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where the commands run (default: here)")
    return parser.parse_args()


def _report(plan: Plan, schedule: Schedule, console: Console) -> int:
    if not schedule.blocked:
        steps = sum(len(stream.steps) for stream in plan.streams)
        console.print(f"All {steps} tasks of {len(plan.streams)} streams are complete.", style="green")
        return 0
    for stream, problems in schedule.blocked.items():
        for problem in problems:
            console.print(f"blocked in {stream}: {problem}", markup=False, style="red")
    if schedule.never_started:
        console.print(f"never started: {', '.join(schedule.never_started)}", markup=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
