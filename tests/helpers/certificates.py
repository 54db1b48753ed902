"""An authority of our own, and certificates of every kind that it can be made to sign."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOCAL = ("localhost", "127.0.0.1")
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    cert: Path
    key: Path

    @property
    def flags(self) -> dict[str, Path]:
        """As settings."""
        return {"tls_cert": self.cert, "tls_key": self.key}


class Authority:
    """Signs certificates into a directory; `file` is what those have to know who trust it."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._signed(self._name, self._key, (), -DAY, 365 * DAY, ca=True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(pem(self._certificate))

    def _signed(self, subject, key, names, start, end, *, ca: bool = False) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), now + start, now + end
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([general(name) for name in names]), False)
        return builder.add_extension(x509.BasicConstraints(ca, None), critical=True).sign(self._key, hashes.SHA256())

    def sign(self, file: str, names=LOCAL, start=-DAY, end=90 * DAY, password: bytes | None = None) -> Pair:
        """Make a certificate for names, valid between two distances from now, and its key (0600)."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(x509.Name([]), key, names, start, end)
        pair = Pair(self._directory / f"{file}.pem", self._directory / f"{file}.key")
        pair.cert.write_bytes(pem(certificate) + pem(self._certificate))
        kind = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kind)
        pair.key.touch(0o600)
        pair.key.write_bytes(content)
        return pair

    def trusted(self) -> ssl.SSLContext:
        """Return what a client needs that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.file))


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as it stands in files."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def general(name: str) -> x509.GeneralName:
    """Return a name or an address as certificates hold it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
