"""Rules over streams that need no database: the order of phases, and that dependencies never form a cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError

__all__ = ["PHASES", "cycle_through", "dependencies_of", "refuse_bad_stream_metadata"]

PHASES: Final = ("foundation", "parallel", "integration")
"""The phases of a plan, in the order in which streams are listed."""


def dependencies_of(metadata: Mapping[str, Any]) -> list[str]:
    """Return the ids of the streams that a task's metadata says its own stream waits for."""
    declared = metadata.get("streamDependencies")
    return [item for item in declared if isinstance(item, str)] if isinstance(declared, list) else []


def refuse_bad_stream_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise InvalidArgumentError where a stream key has a type that would make the stream unreachable."""
    for key in ("streamId", "streamName"):
        value = metadata.get(key)
        if value is not None and (not isinstance(value, str) or not value or not value.isprintable()):
            raise InvalidArgumentError(
                f"metadata.{key}: expected a non-empty printable string", field=f"metadata.{key}"
            )
    declared = metadata.get("streamDependencies")
    if declared is not None and (not isinstance(declared, list) or not all(isinstance(x, str) for x in declared)):
        raise InvalidArgumentError(
            "metadata.streamDependencies: expected a list of stream ids", field="metadata.streamDependencies"
        )


def cycle_through(stream_id: str, waits_for: Callable[[str], Iterable[str]]) -> list[str] | None:
    """Return a path of dependencies that leads from the stream back to itself, or None.

    `waits_for` is asked once for each stream that can be reached. Works without recursion: a chain of streams may be
    as long as a project.
    """
    paths = [[stream_id]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for dependency in sorted(waits_for(path[-1])):
            if dependency == stream_id:
                return [*path, dependency]
            if dependency not in seen:
                seen.add(dependency)
                paths.append([*path, dependency])
    return None
