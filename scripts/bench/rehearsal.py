"""An orchestration as a timetable: agents in parallel streams that start tasks, write notes, and complete them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["NOTES", "STREAMS", "TASKS", "TASK_SECONDS", "Step", "planned", "timetable"]

STREAMS: Final = ("foundation", "backend", "frontend", "docs")
TASKS: Final = 8
"""Tasks of each stream; an agent works on one after the other."""

NOTES: Final = 2
"""Notes that an agent writes on the way through a task."""

TASK_SECONDS: Final = 66.0
_PLAN_SECONDS: Final = 6.0
_DESCRIPTION: Final = "What is to be done, why, and where to look first; one of several sentences. " * 7
_NOTE: Final = "Found what the parser does with an empty list, changed it, and wrote the test that shows it. " * 3


@dataclass(frozen=True)
class Step:
    """A tool call, so many seconds after the beginning; `task` is the number of the task that it is about."""

    at: float
    task: int
    arguments: dict[str, Any]


def planned() -> list[dict[str, Any]]:
    """Return the arguments of task_create for all tasks."""
    return [_task(stream, number) for stream in STREAMS for number in range(TASKS)]


def timetable(seconds: float) -> list[Step]:
    """Return what happens within so many seconds, in order."""
    steps = [step for index in range(len(STREAMS)) for step in _stream(index)]
    return sorted((step for step in steps if step.at < seconds), key=lambda step: step.at)


def _task(stream: str, number: int) -> dict[str, Any]:
    metadata = {
        "streamId": f"Stream-{stream}",
        "streamName": stream,
        "streamPhase": "parallel",
        "complexity": "Medium",
        "files": [f"src/{stream}/part{number}.py", f"tests/{stream}/test_part{number}.py"],
        "acceptanceCriteria": ["The tests pass", "The documentation names it"],
    }
    return {
        "title": f"Part {number} of {stream}",
        "description": _DESCRIPTION,
        "assignedAgent": "me",
        "metadata": metadata,
    }


def _stream(index: int) -> Iterator[Step]:
    for number in range(TASKS):
        task = index * TASKS + number
        begin = _PLAN_SECONDS + index * 3.0 + number * TASK_SECONDS
        yield Step(begin, task, {"status": "in_progress"})
        for note in range(1, NOTES + 1):
            at = begin + note * TASK_SECONDS / (NOTES + 1.5)
            yield Step(at, task, {"notes": _NOTE * note})
        yield Step(begin + TASK_SECONDS * 0.95, task, {"status": "completed", "notes": _NOTE * (NOTES + 1)})
