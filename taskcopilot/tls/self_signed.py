"""A certificate that this machine makes for itself, kept beside the database so that clients can trust it for long.

It names this machine only, and is trusted only by who is given its file. Needs the package `cryptography`.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from taskcopilot.clock import Clock
from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tls.certificate import Files
from taskcopilot.workspace import make_private

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["files_of", "made"]

_FLAG: Final = "--tls-self-signed"

_CERTIFICATE: Final = "certificate.pem"
_KEY: Final = "key.pem"

_LIFE: Final = timedelta(days=825)
"""The longest that every common client accepts."""

_LAST_DAYS: Final = timedelta(days=30)
"""A start this long before the end makes a new one."""

_OF_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")


def files_of(database: Path) -> Files:
    """Return where the certificate of a workspace is, or will be."""
    directory = database.parent / "tls"
    return Files(directory / _CERTIFICATE, directory / _KEY)


def made(settings: Settings, database: Path, clock: Clock) -> Files:
    """Return the certificate of the workspace, and make it unless there is one that still does. Blocks.

    It is made anew in its last 30 days, and when it does not name an address that the settings listen on. Processes
    that make one at the same time agree. Raises InvalidArgumentError without the package or where it cannot be written.
    """
    try:
        import cryptography  # noqa: F401, PLC0415 - an extra: certificates of others need nothing
    except ImportError as error:
        raise InvalidArgumentError(
            f"{_FLAG} needs the package cryptography: pip install cryptography", field=_FLAG
        ) from error
    files, names = files_of(database), _names(settings)
    try:
        with _alone(files.cert.parent.parent):
            if not _still_does(files, names, clock.now()):
                _make(files.cert.parent, _pair(names, clock.now()))
    except OSError as error:
        raise InvalidArgumentError(f"{_FLAG}: {files.cert.parent}: {error.strerror}", field=_FLAG) from error
    return files


def _names(settings: Settings) -> tuple[str, ...]:
    """Return what clients on this machine and in its network may call the ports."""
    hosts = [settings.host, settings.services_host, *(each.host for each in settings.service_addresses.values())]
    named = [host for host in (*_OF_THIS_MACHINE, socket.gethostname(), *hosts, *settings.allow_hosts) if host]
    return tuple(dict.fromkeys(filter(None, map(_name, named))))


def _name(text: str) -> str | None:
    """Return a name or an address without its port; None for what nobody can call a port."""
    host = text.strip("[]") if text.count(":") != 1 else text.partition(":")[0]
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.partition("]")[0])
        return None if address.is_unspecified else str(address)
    return host.lower() if host.isascii() else None


def _still_does(files: Files, names: Sequence[str], now: datetime) -> bool:
    from cryptography import x509  # noqa: PLC0415 - see `made`

    try:
        found = x509.load_pem_x509_certificate(files.cert.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    if not files.key.exists() or now > found.not_valid_after_utc - _LAST_DAYS:
        return False
    told = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names) <= {str(each.value) for each in told}


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time look and make."""
    make_private(directory)
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _make(directory: Path, contents: tuple[bytes, bytes]) -> None:
    """Write both files in a directory that then takes its place, so that they always belong together."""
    fresh, before = (Path(tempfile.mkdtemp(prefix=".tls-", dir=directory.parent)) for _ in range(2))
    try:
        for name, content in zip((_CERTIFICATE, _KEY), contents, strict=True):
            with os.fdopen(os.open(fresh / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                target.write(content)
        with contextlib.suppress(FileNotFoundError):
            directory.rename(before)
        fresh.rename(directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def _pair(names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """Return a new certificate and its key, as PEM."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see `made`
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, names, now.astimezone(UTC))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret


_OTHER_USES: Final = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _certificate(key: Any, names: Sequence[str], now: datetime) -> x509.Certificate:
    """Sign a certificate with its own key, with what strict clients look for in one of a server."""
    from cryptography import x509  # noqa: PLC0415 - see `made`
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Task Copilot Bridge")])
    other_uses = dict.fromkeys(_OTHER_USES, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
    )
    for extension, critical in (
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, **other_uses), True),
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415 - see `made`

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
