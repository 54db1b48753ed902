"""The certificate that a machine makes for itself: kept, complete, and private."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tls.certificate import Certificate
from taskcopilot.tls.self_signed import files_of, made
from tests.helpers.clock import FakeClock


def make(directory: Path, clock: FakeClock | None = None, **flags: str) -> bytes:
    settings = Settings.load({"tls_self_signed": "on", **flags}, {})
    files = made(settings, directory / "tasks.db", clock or FakeClock())
    assert files == files_of(directory / "tasks.db")
    Certificate.load(files)
    return files.cert.read_bytes()


def names(content: bytes) -> set[str]:
    extensions = x509.load_pem_x509_certificate(content).extensions
    return {str(each.value) for each in extensions.get_extension_for_class(x509.SubjectAlternativeName).value}


def test_it_names_this_machine_and_where_it_listens(tmp_path: Path) -> None:
    """Both loopback addresses, the host name, the hosts of all ports and what else it is reached by."""
    addresses = {"service_addresses": "dhruva=192.0.2.7:1,akosha=2", "allow_hosts": "bridge.example:8443,other.example"}
    told = names(make(tmp_path, host="192.0.2.1", services_host="::", **addresses))
    own = {"localhost", "127.0.0.1", "::1", socket.gethostname().lower()}
    assert told == own | {"192.0.2.1", "192.0.2.7", "bridge.example", "other.example"}


def test_it_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    """Clients trust its file."""
    assert make(tmp_path) == make(tmp_path)


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    """Directory 0700, files 0600, nothing else left behind."""
    make(tmp_path / "new")
    files = files_of(tmp_path / "new" / "tasks.db")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (files.key.parent, files.key, files.cert)]
    assert modes == [0o700, 0o600, 0o600]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["tls"]


def test_it_is_made_anew_in_its_last_days_and_for_new_names(tmp_path: Path) -> None:
    """A client would refuse it otherwise."""
    clock = FakeClock()
    first = make(tmp_path, clock)
    clock.advance(timedelta(days=790).total_seconds())
    assert make(tmp_path, clock) == first
    clock.advance(timedelta(days=10).total_seconds())
    second = make(tmp_path, clock)
    assert second != first
    third = make(tmp_path, clock, allow_hosts="bridge.example")
    assert third != second
    assert make(tmp_path, clock) == third


def test_a_file_that_is_damaged_is_replaced(tmp_path: Path) -> None:
    """Nobody has to find out why."""
    make(tmp_path)
    files_of(tmp_path / "tasks.db").cert.write_text("damaged")
    assert names(make(tmp_path))


def test_processes_that_make_one_at_once_agree(tmp_path: Path) -> None:
    """The files that are there in the end belong together."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: made(Settings.load({}, {}), tmp_path / "tasks.db", FakeClock()), range(8)))
    files = files_of(tmp_path / "tasks.db")
    Certificate.load(files)
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


def test_it_signs_nothing_else(tmp_path: Path) -> None:
    """Whoever puts it among the authorities trusts it for these names only, whatever becomes of the key."""
    extensions = x509.load_pem_x509_certificate(make(tmp_path)).extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


async def test_strict_clients_accept_it(serve) -> None:
    """The flags that newer versions of Python set by themselves."""
    server = await serve(tls_self_signed=True)
    strict = await asyncio.to_thread(ssl.create_default_context, cafile=str(server.server.certificate.file))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    for name in ("127.0.0.1", "localhost"):
        async with server.http.get(f"https://{name}:{server.port}/health", ssl=strict) as response:
            assert response.status == 200


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates of others need no package."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(InvalidArgumentError, match="pip install cryptography") as caught:
        make(tmp_path)
    assert caught.value.field == "--tls-self-signed"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """As an error of the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError) as caught:
        make(tmp_path / "file")
    assert caught.value.field == "--tls-self-signed"
    assert str(tmp_path / "file") in caught.value.message
