"""Which tasks are ours: a workspace is one database file, shared by all processes that work on one project.

The rules are the original's: `<base>/<workspace>/tasks.db`, where the base is `TASK_DB_PATH` or `~/.claude/tasks`, and
the workspace `WORKSPACE_ID` or a hash of the working directory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Workspace", "make_private"]

_ID_LENGTH: Final = 12
_FILE: Final = "tasks.db"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The id of a workspace, its database file, and the directory that initiative archives may be written to."""

    id: str
    database: Path
    archives: Path

    @classmethod
    def at(cls, file: Path, workspace_id: str | None = None) -> Workspace:
        """Take a database file by name; processes that name the same file agree on the id."""
        path = file.expanduser().resolve()
        derived = path.parent.name if path.name == _FILE else _short_hash(str(path))
        return cls(workspace_id or derived, path, path.parent / "archives")

    @classmethod
    def of(cls, directory: Path, base: Path | None = None, workspace_id: str | None = None) -> Workspace:
        """Find the workspace of a project directory, as the original does."""
        chosen = workspace_id or _short_hash(str(directory))
        home = (base or Path("~/.claude/tasks")).expanduser().resolve()
        archives = Path("~/.claude/archives").expanduser() if base is None else home / "archives"
        return cls(chosen, home / chosen / _FILE, archives)


def make_private(directory: Path) -> None:
    """Make a directory and those above it that are missing, all for their owner only; raises OSError.

    `Path.mkdir` gives its mode to the last one alone. What is there already keeps the rights that it has.
    """
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(exist_ok=True)


def _short_hash(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:_ID_LENGTH]
