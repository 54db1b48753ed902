"""A certificate and its key: read from files, checked, and ready to be shown. All of this blocks.

What cannot be used is refused with the name of the setting before anything listens: a port that was to be TLS is never
anything else.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskcopilot.errors import InvalidArgumentError

__all__ = ["Certificate", "Files"]

_CERT: Final = "--tls-cert"
_KEY: Final = "--tls-key"
_PASSWORD: Final = "--tls-key-password-file"  # noqa: S105 - the name of a setting
_CLIENTS: Final = "--tls-client-ca"

_EXPIRED, _NOT_YET_VALID = 10, 9
"""What OpenSSL calls these."""

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is."""

    cert: Path
    key: Path
    password: Path | None = None
    clients: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """Those that are used."""
        return tuple(file for file in (self.cert, self.key, self.password, self.clients) if file is not None)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that can be shown: TLS 1.2 and later, HTTP/1.1 only."""

    context: ssl.SSLContext
    file: Path
    fingerprint: str
    """SHA-256 of the certificate, in pairs of capital hexadecimal digits."""
    not_after: float | None
    """When it expires, in seconds since 1970; None where it is not valid now."""
    asking: ssl.SSLContext
    """For asking who else is at a port: shows this certificate and checks none, so nothing is to be told there."""
    flaw: str | None
    """Why clients will refuse it, as far as can be seen from here."""

    @classmethod
    def load(cls, files: Files) -> Certificate:
        """Read and check the files; raises InvalidArgumentError that names the setting whose file cannot be used."""
        text = _read(files.cert, _CERT)
        first = _PEM.search(text)
        if first is None:
            raise InvalidArgumentError(f"{_CERT}: {files.cert} holds no certificate (PEM)", field=_CERT)
        _read(files.key, _KEY, private=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.options |= ssl.OP_NO_RENEGOTIATION
        _load_chain(context, files)
        not_after, flaw = _look_at(context, files.cert)
        if files.clients is not None:
            _ask_for_certificates(context, files.clients)
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[0])).hexdigest().upper()
        fingerprint = ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))
        return cls(context, files.cert, fingerprint, not_after, _asking(files), flaw)


def _read(file: Path, field: str, *, private: bool = False) -> str:
    try:
        if private:
            _refuse_open_file(file, field)
        return file.read_text("utf-8", "replace")
    except OSError as error:
        raise InvalidArgumentError(f"{field}: cannot read {file}: {error.strerror}", field=field) from error


def _refuse_open_file(file: Path, field: str) -> None:
    """Nobody but the owner may read a secret; a group may where root lends it to us."""
    found = file.stat()
    lent = found.st_uid == 0 and found.st_mode & (stat.S_IWGRP | stat.S_IXGRP) == 0
    if found.st_mode & stat.S_IRWXO or (found.st_mode & stat.S_IRWXG and not lent):
        raise InvalidArgumentError(f"{field}: others can read {file}; chmod 600 {file}", field=field)


def _load_chain(context: ssl.SSLContext, files: Files) -> None:
    """Let OpenSSL read both; it never asks a terminal for the password."""
    asked: list[Path] = []

    def password() -> str:
        if files.password is None:
            raise InvalidArgumentError(f"{_KEY}: {files.key} wants a password: {_PASSWORD}", field=_PASSWORD)
        asked.append(files.password)
        return _read(files.password, _PASSWORD, private=True).partition("\n")[0].rstrip("\r")

    try:
        context.load_cert_chain(files.cert, files.key, password)
    except (ssl.SSLError, ValueError) as error:
        if asked:
            text = f"{_PASSWORD}: {files.password} does not hold the password of {files.key}"
            raise InvalidArgumentError(text, field=_PASSWORD) from error
        raise _unusable(files, str(getattr(error, "reason", None) or error)) from error


def _unusable(files: Files, reason: str) -> InvalidArgumentError:
    if reason == "KEY_VALUES_MISMATCH":
        return InvalidArgumentError(f"{_KEY}: {files.key} is not the key of the certificate {files.cert}", field=_KEY)
    if not _is_certificate(files.cert):
        return InvalidArgumentError(f"{_CERT}: {files.cert} holds no certificate that can be used", field=_CERT)
    return InvalidArgumentError(f"{_KEY}: {files.key} holds no key that can be used ({reason})", field=_KEY)


def _is_certificate(file: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        return False
    return True


def _ask_for_certificates(context: ssl.SSLContext, clients: Path) -> None:
    _read(clients, _CLIENTS)
    try:
        context.load_verify_locations(clients)
    except ssl.SSLError as error:
        raise InvalidArgumentError(f"{_CLIENTS}: {clients} holds no certificate (PEM)", field=_CLIENTS) from error
    context.verify_mode = ssl.CERT_REQUIRED


def _asking(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _load_chain(context, files)
    return context


def _look_at(server: ssl.SSLContext, cert: Path) -> tuple[float | None, str | None]:
    """Have a client that trusts this very certificate shake hands with it in memory: when it expires, or what is wrong.

    The standard library tells what is in a certificate in no other way.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cert)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        _shake_hands(asking, answering)
    except ssl.SSLCertVerificationError as error:
        return None, _FLAWS.get(error.verify_code, error.verify_message)
    except ssl.SSLError as error:
        raise InvalidArgumentError(f"{_CERT}: no handshake with {cert}: {error.reason}", field=_CERT) from error
    found = asking.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(found["notAfter"]))), None


_FLAWS: Final = {_EXPIRED: "it has expired", _NOT_YET_VALID: "it is not valid yet"}

_ROUNDS: Final = 8
"""More than any handshake takes."""


def _shake_hands(*sides: ssl.SSLObject) -> None:
    for _ in range(_ROUNDS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
