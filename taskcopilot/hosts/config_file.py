"""A configuration file that belongs to somebody else: read as it is, changed as a whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskcopilot.errors import ConflictError, InvalidArgumentError

__all__ = ["ConfigFile"]

_NEW: Final = 0o666
"""The mode of a new file, before the umask."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What was found at a path; `text` is None where there is no file. A symbolic link stays one."""

    path: Path
    text: str | None

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        """Read the file; raises InvalidArgumentError for one that is not UTF-8, OSError for one that cannot be read."""
        try:
            return cls(path, path.read_bytes().decode())
        except FileNotFoundError:
            return cls(path, None)
        except UnicodeDecodeError as error:
            raise InvalidArgumentError(f"{path}: not UTF-8: {error.reason}", field="file") from None

    def diff(self, wanted: str | None) -> str:
        """Return the difference to another content as a unified diff; empty for none."""
        before, after = ((text or "").splitlines(keepends=True) for text in (self.text, wanted))
        old, new = ("/dev/null" if text is None else str(self.path) for text in (self.text, wanted))
        lines = difflib.unified_diff(before, after, old, new)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def write(self, wanted: str | None) -> None:
        """Put another content in its place, all of it or nothing; None removes the file.

        Raises ConflictError when somebody changed the file since it was read, and then leaves it alone.
        """
        if wanted == self.text:
            return
        target = Path(os.path.realpath(self.path))
        if self.read(target).text != self.text:
            raise ConflictError(f"{self.path} was changed meanwhile; nothing was written", field="file")
        if wanted is None:
            target.unlink()
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, wanted.encode(), None if self.text is None else stat.S_IMODE(target.stat().st_mode))


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
