"""stream_conflict_check."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.store import stream_rows, streams
from taskcopilot.store.stream_rows import Scope
from taskcopilot.store.tasks import decode_metadata
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import Identifier, TaskStatus, ToolInput, ToolOutput
from taskcopilot.tools.path_patterns import PathPattern
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_info import text, texts

__all__ = ["TOOLS", "Conflict", "StreamConflictCheck", "StreamConflicts", "stream_conflict_check"]

_WORKTREE: Final = "worktreePath"
"""Tasks with a git worktree of their own cannot be in anybody's way."""

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class StreamConflictCheck(ToolInput):
    """Arguments of stream_conflict_check."""

    files: list[FilePath] = Field(max_length=1_000, description="paths that are about to be changed")
    exclude_stream_id: Identifier | None = Field(default=None, description="the stream that asks")
    initiative_id: Identifier | None = Field(default=None, description="only tasks of this initiative's PRDs")


class Conflict(ToolOutput):
    """A file, and a task of a stream that claims it."""

    file: str
    stream_id: str
    stream_name: str
    task_id: str
    task_title: str
    task_status: TaskStatus


class StreamConflicts(ToolOutput):
    """Answer of stream_conflict_check: claims by name first, then claims by pattern."""

    has_conflict: bool
    conflicts: list[Conflict]


@dataclass(frozen=True, slots=True)
class _Claims:
    """What one task claims: files by name, and patterns of paths."""

    task: sqlite3.Row
    name: str
    files: frozenset[str]
    patterns: list[str]


@dataclass(slots=True)
class _Patterns:
    """Finds the files that match a pattern; many tasks of a stream repeat the same ones."""

    files: list[str]
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def matching(self, pattern: str) -> frozenset[str]:
        if pattern not in self.known:
            matches = PathPattern(pattern).matches
            self.known[pattern] = frozenset(file for file in self.files if matches(file))
        return self.known[pattern]


def stream_conflict_check(tx: ReadTx, call: StreamConflictCheck) -> StreamConflicts:
    """Before changing files, ask which tasks of other streams are changing them or have changed them.

    Tasks in progress and completed ones count, archived or not; those with a worktree of their own are in nobody's
    way. Raises ConflictError naming the task whose streamPaths hold a pattern that is too long or has too many stars.
    """
    asking = call.exclude_stream_id
    isolated = asking is not None and text(decode_metadata(streams.first_metadata(tx, asking)), _WORKTREE) is not None
    if not call.files or isolated:
        return StreamConflicts(has_conflict=False, conflicts=[])
    rows = stream_rows.claims_on_files(tx, Scope.of(call.initiative_id), asking)
    conflicts = list(_conflicts(list(dict.fromkeys(call.files)), list(_claims(rows))))
    return StreamConflicts(has_conflict=bool(conflicts), conflicts=conflicts)


def _claims(rows: list[sqlite3.Row]) -> Iterator[_Claims]:
    for row in rows:
        metadata: dict[str, Any] = decode_metadata(row["metadata"])
        files, patterns = texts(metadata, "files"), texts(metadata, "streamPaths")
        if (files or patterns) and text(metadata, _WORKTREE) is None:
            yield _Claims(row, text(metadata, "streamName") or row["stream_id"], frozenset(files), patterns)


def _conflicts(files: list[str], claims: list[_Claims]) -> Iterator[Conflict]:
    for file in files:
        yield from (_conflict(file, claim) for claim in claims if file in claim.files)
    patterns = _Patterns(files)
    for claim in claims:
        taken = _taken(claim, patterns.matching)
        yield from (_conflict(file, claim) for file in files if file in taken)


def _taken(claim: _Claims, matching: Callable[[str], frozenset[str]]) -> frozenset[str]:
    """Return the files that the patterns of a task claim and its list does not name."""
    try:
        return frozenset().union(*map(matching, claim.patterns)) - claim.files
    except InvalidArgumentError as error:
        raise ConflictError(
            f"task {claim.task['id']} has a metadata.streamPaths that cannot be used: {error.message}", field="files"
        ) from error


def _conflict(file: str, claim: _Claims) -> Conflict:
    return Conflict(
        file=file,
        stream_id=claim.task["stream_id"],
        stream_name=claim.name,
        task_id=claim.task["id"],
        task_title=claim.task["title"],
        task_status=claim.task["status"],
    )


TOOLS: Final = (
    Tool(name="stream_conflict_check", input=StreamConflictCheck, output=StreamConflicts, run=stream_conflict_check),
)
