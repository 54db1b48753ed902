"""Files that initiatives are archived to: where they may lie, and how they are written."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

from taskcopilot.errors import InvalidArgumentError, StoreError, StoreFullError
from taskcopilot.workspace import Workspace, make_private

__all__ = ["default_name", "locate", "unused", "write"]

_FIELD: Final = "archivePath"

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_BAD_PATH: Final = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST, errno.EINVAL)

_MAX_STEM: Final = 150
"""Characters of an id in a file name; file systems take 255 bytes."""


def default_name(initiative_id: str, at: str) -> str:
    """Return `<id>_<YYYY-MM-DDTHH-MM-SS>.json`; what has a meaning in paths or shells becomes `_`."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", initiative_id)[:_MAX_STEM].lstrip(".") or "_"
    return f"{safe}_{at.partition('.')[0].replace(':', '-')}.json"


def locate(workspace: Workspace, given: str) -> Path:
    """Return the file that a caller named, relative to the directory of archives or absolute inside of it.

    Raises InvalidArgumentError for what lies outside, be it by `..` or through symbolic links, and for directories.
    """
    try:
        home = workspace.archives.resolve()
        path = (home / Path(given).expanduser()).resolve()
        is_directory = path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidArgumentError(f"archivePath: not a usable path: {error}", field=_FIELD) from error
    if home not in path.parents:
        raise InvalidArgumentError(f"archivePath: must lie below {home}", field=_FIELD)
    if is_directory or given.endswith("/"):
        raise InvalidArgumentError("archivePath: names a directory, not a file", field=_FIELD)
    if path.parent == workspace.database.parent:
        raise InvalidArgumentError("archivePath: this directory holds the database", field=_FIELD)
    return path


def unused(directory: Path, name: str) -> Path:
    """Return the path of that name, numbered where an archive of the same second is there already."""
    path, number = directory.resolve() / name, 1
    while path.exists():
        number += 1
        path = path.with_name(f"{name.removesuffix('.json')}-{number}.json")
    return path


def write(path: Path, content: bytes, *, unique: str) -> None:
    """Write the file whole or not at all, readable by its owner only; an older one of the name is replaced.

    `unique`: a text that no other writer uses, for the temporary file. Raises StoreFullError, InvalidArgumentError
    where the path is at fault, and StoreError for the rest.
    """
    temporary = path.with_name(f".{unique}.tmp")
    try:
        make_private(path.parent)
        try:
            _write_through(temporary, content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _translate(error, path) from error


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _translate(error: OSError, path: Path) -> Exception:
    if error.errno in _FULL:
        return StoreFullError(f"no space left for {path}; nothing was changed")
    if error.errno in _BAD_PATH:
        return InvalidArgumentError(f"archivePath: cannot write {path}: {error.strerror}", field=_FIELD)
    return StoreError(f"cannot write {path}: {error.strerror}; nothing was changed")
