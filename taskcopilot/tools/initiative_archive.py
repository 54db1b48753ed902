"""initiative_archive: write what belongs to an initiative to a JSON file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from pydantic import Field, StringConstraints
from pydantic.alias_generators import to_camel

from taskcopilot.store import belongings, prds
from taskcopilot.store.initiatives import Initiative
from taskcopilot.store.prds import Prd
from taskcopilot.store.tasks import decode_metadata
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools import archive_files
from taskcopilot.tools.fields import Identifier, ToolOutput, WriteInput
from taskcopilot.tools.initiatives import require_initiative, write_diary
from taskcopilot.tools.registry import Tool

__all__ = ["TOOLS", "InitiativeArchive", "InitiativeArchived", "initiative_archive"]

_VERSION: Final = "1.0"


class InitiativeArchive(WriteInput):
    """Arguments of initiative_archive."""

    initiative_id: Identifier | None = Field(default=None, description="by default the current initiative")
    archive_path: Annotated[str, StringConstraints(min_length=1, max_length=4_000)] | None = Field(
        default=None,
        description="file to write, below the directory of archives; by default <initiative>_<time>.json",
    )


class InitiativeArchived(ToolOutput):
    """Answer of initiative_archive."""

    initiative_id: str
    archive_path: str
    prd_count: int
    task_count: int
    work_product_count: int
    archived_at: str


def initiative_archive(tx: Tx, call: InitiativeArchive) -> InitiativeArchived:
    """Write an initiative's PRDs, tasks, work products and diary to a JSON file. Nothing is deleted or hidden.

    The file is written beside its place and renamed, so that nobody reads half of it.
    The file is there before the call is committed: a call that fails after writing leaves it behind.
    """
    initiative = require_initiative(tx, call.initiative_id)
    path = _path(tx, initiative, call.archive_path)
    archive = _collect(tx, initiative)
    write_diary(tx, initiative.id, "initiative_archived", f"Archived initiative to: {path}")
    archive_files.write(path, orjson.dumps(archive, option=orjson.OPT_INDENT_2), unique=tx.new_id("archive"))
    return InitiativeArchived(
        initiative_id=initiative.id,
        archive_path=str(path),
        prd_count=len(archive["prds"]),
        task_count=len(archive["tasks"]),
        work_product_count=len(archive["workProducts"]),
        archived_at=tx.at,
    )


def _path(tx: ReadTx, initiative: Initiative, given: str | None) -> Path:
    if given is not None:
        return archive_files.locate(tx.workspace, given)
    return archive_files.unused(tx.workspace.archives, archive_files.default_name(initiative.id, tx.at))


def _collect(tx: ReadTx, initiative: Initiative) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "archivedAt": tx.at,
        "initiative": {"id": initiative.id, "title": initiative.title, "description": initiative.description},
        "prds": [_prd(prd) for prd in prds.listing(tx, where={"initiative_id": initiative.id})],
        "tasks": [_task(row) for row in belongings.tasks(tx, initiative.id)],
        "workProducts": _records(belongings.work_products(tx, initiative.id)),
        "activityLog": _records(belongings.activity(tx, initiative.id)),
    }


def _prd(prd: Prd) -> dict[str, Any]:
    return {to_camel(name): getattr(prd, name) for name in prd.__slots__}


def _task(row: sqlite3.Row) -> dict[str, Any]:
    record = _record(row)
    return record | {"archived": bool(record["archived"])}


def _records(rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    return [_record(row) for row in rows]


def _record(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row under the names of the wire, its metadata as the object that they are."""
    record = {to_camel(name): row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over its values
    return record | {"metadata": decode_metadata(record["metadata"])}


TOOLS: Final = (
    Tool(
        name="initiative_archive",
        input=InitiativeArchive,
        output=InitiativeArchived,
        run=initiative_archive,
        writes=True,
    ),
)
