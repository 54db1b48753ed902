"""Which certificate the ports show just now: loaded at the start, and anew when its files change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from taskcopilot.clock import Clock
from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tls import self_signed
from taskcopilot.tls.certificate import Certificate, Files

__all__ = ["LOOK", "Keeping", "files_for"]

_log: Final = logging.getLogger(__name__)

LOOK: Final = 10.0
"""Seconds between two looks at the files."""

_SOON: Final = 14 * 86_400.0
"""Seconds before the end from which on the log says so, at the start and once a day."""

_DAY: Final = 86_400.0

Marks = tuple[tuple[int, int, int] | None, ...]
"""What tells that a file is another: inode, size, time of its last change."""


def files_for(settings: Settings, database: Path, clock: Clock) -> Files:
    """Return the files that the settings ask for; what belongs together has to be there together. Blocks.

    Raises InvalidArgumentError that names the setting that is missing, or one too many.
    """
    if settings.tls_self_signed:
        if settings.tls_cert is not None or settings.tls_key is not None or settings.tls_key_password_file is not None:
            raise InvalidArgumentError(
                "--tls-self-signed makes its own certificate and key; leave out --tls-cert, --tls-key and "
                "--tls-key-password-file",
                field="--tls-self-signed",
            )
        made = self_signed.made(settings, database, clock)
        return Files(made.cert, made.key, clients=settings.tls_client_ca)
    if settings.tls_cert is None:
        raise InvalidArgumentError("TLS needs a certificate too: --tls-cert", field="--tls-cert")
    if settings.tls_key is None:
        raise InvalidArgumentError("TLS needs the key of the certificate too: --tls-key", field="--tls-key")
    return Files(settings.tls_cert, settings.tls_key, settings.tls_key_password_file, settings.tls_client_ca)


class Keeping:
    """Holds the certificate to show to who comes next. Connections that stand keep theirs."""

    def __init__(self, files: Files, marks: Marks, certificate: Certificate, clock: Clock) -> None:
        self.certificate = certificate
        self._files = files
        self._marks = marks
        self._clock = clock
        self._told_at: float | None = None

    @classmethod
    async def start(cls, find: Callable[[], Files], clock: Clock) -> Self:
        """Load what `find` names, on a thread; raises InvalidArgumentError for what cannot be used."""

        def load() -> tuple[Files, Marks, Certificate]:
            files = find()
            return files, _marks(files), Certificate.load(files)

        keeping = cls(*await asyncio.to_thread(load), clock)
        keeping._tell()
        return keeping

    async def run(self) -> None:
        """Look at the files now and then, until cancelled.

        What cannot be used is told once and left alone: the certificate before it goes on being shown.
        """
        while True:
            await self._clock.sleep(LOOK)
            marks = await asyncio.to_thread(_marks, self._files)
            if marks != self._marks:
                self._marks = marks
                await self._renew()
            self._tell()

    async def _renew(self) -> None:
        try:
            self.certificate = await asyncio.to_thread(Certificate.load, self._files)
        except InvalidArgumentError as error:
            _log.error("the new certificate cannot be used, the one before stays: %s", error.message)
            return
        self._told_at = None
        _log.info("new certificate, SHA-256 %s", self.certificate.fingerprint)

    def _tell(self) -> None:
        """Say now and then that clients refuse the certificate, or soon will."""
        if self._told_at is not None and self._clock.monotonic() < self._told_at + _DAY:
            return
        certificate, now = self.certificate, self._clock.now().timestamp()
        flaw = certificate.flaw
        if flaw is None and certificate.not_after is not None and certificate.not_after - now < _SOON:
            days = (certificate.not_after - now) / _DAY
            flaw = f"it expires in {days:.1f} days" if days > 0 else "it has expired"
        if flaw is not None:
            self._told_at = self._clock.monotonic()
            _log.warning("the certificate %s: %s", certificate.file, flaw)


def _marks(files: Files) -> Marks:
    return tuple(map(_mark, files.all))


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
