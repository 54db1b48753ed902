"""A certificate that cannot be used is refused with the name of its setting, before anything listens."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from taskcopilot.clock import SystemClock
from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tls.certificate import Certificate, Files
from taskcopilot.tls.keeping import files_for
from tests.helpers.certificates import DAY, Authority


def refusal(**files: Path | None) -> InvalidArgumentError:
    with pytest.raises(InvalidArgumentError) as caught:
        Certificate.load(Files(**files))
    return caught.value


def found(directory: Path, **flags) -> Files:
    return files_for(Settings.load(flags, {}), directory / "tasks.db", SystemClock())


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("tls_cert",), "--tls-key"),
        (("tls_key",), "--tls-cert"),
        (("tls_client_ca",), "--tls-cert"),
        (("tls_key_password_file",), "--tls-cert"),
        (("tls_cert", "tls_self_signed"), "--tls-self-signed"),
        (("tls_key", "tls_self_signed"), "--tls-self-signed"),
        (("tls_key_password_file", "tls_self_signed"), "--tls-self-signed"),
    ],
)
def test_half_of_it_is_no_tls_and_no_plaintext_either(tmp_path: Path, given: tuple[str, ...], missing: str) -> None:
    """What is missing, or one too many, is named."""
    flags = {name: True if name == "tls_self_signed" else tmp_path / "x" for name in given}
    assert Settings.load(flags, {}).wants_tls
    with pytest.raises(InvalidArgumentError) as caught:
        found(tmp_path, **flags)
    assert caught.value.field == missing


def test_a_certificate_with_its_key_is_ready_to_be_shown(authority: Authority) -> None:
    """TLS 1.2 at least; when it expires and its fingerprint are those of the file."""
    pair = authority.sign("good")
    certificate = Certificate.load(Files(pair.cert, pair.key))
    assert certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert certificate.flaw is None
    assert certificate.not_after is not None
    assert len(certificate.fingerprint.split(":")) == 32
    assert certificate.context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("which", ["cert", "key"])
def test_a_file_that_is_not_there_is_named(authority: Authority, which: str) -> None:
    """With the setting."""
    pair = authority.sign("good")
    error = refusal(**{"cert": pair.cert, "key": pair.key, which: Path("/nowhere/x.pem")})
    assert error.field == f"--tls-{which}"
    assert "/nowhere/x.pem" in error.message
    assert "No such file" in error.message


@pytest.mark.parametrize("which", ["cert", "key"])
@pytest.mark.parametrize(
    "content", ["", "no PEM at all", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_something_else_is_named(authority: Authority, which: str, content: str) -> None:
    """Empty, text, and broken PEM."""
    pair = authority.sign("good")
    getattr(pair, which).write_text(content)
    error = refusal(cert=pair.cert, key=pair.key)
    assert error.field == f"--tls-{which}"
    assert str(getattr(pair, which)) in error.message


def test_the_key_of_another_certificate_is_refused(authority: Authority) -> None:
    """Both files are named."""
    one, other = authority.sign("one"), authority.sign("other")
    error = refusal(cert=one.cert, key=other.key)
    assert error.field == "--tls-key"
    assert f"{other.key} is not the key of the certificate {one.cert}" in error.message


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666, 0o620])
def test_a_key_that_others_can_touch_is_refused(authority: Authority, mode: int) -> None:
    """With the chmod that helps."""
    pair = authority.sign("good")
    pair.key.chmod(mode)
    error = refusal(cert=pair.cert, key=pair.key)
    assert error.field == "--tls-key"
    assert f"chmod 600 {pair.key}" in error.message


def test_a_group_may_read_a_key_only_where_root_lends_it(authority: Authority) -> None:
    """As the keys in /etc/ssl/private of Debian are."""
    pair = authority.sign("good")
    pair.key.chmod(0o640)
    if os.geteuid() == 0:
        Certificate.load(Files(pair.cert, pair.key))
        os.chown(pair.key, 65534, 65534)
    assert refusal(cert=pair.cert, key=pair.key).field == "--tls-key"


def test_a_key_with_a_password_wants_the_file_of_the_password(authority: Authority, certificates: Path) -> None:
    """Nobody is asked on a terminal; without it, and with a wrong one, the setting is named."""
    pair = authority.sign("locked", password=b"open sesame")
    assert refusal(cert=pair.cert, key=pair.key).field == "--tls-key-password-file"
    password = certificates / "password"
    password.touch(0o600)
    password.write_text("wrong\n")
    error = refusal(cert=pair.cert, key=pair.key, password=password)
    assert error.field == "--tls-key-password-file"
    assert "wrong" not in error.message
    password.write_text("open sesame\nnot read\n")
    Certificate.load(Files(pair.cert, pair.key, password))
    password.chmod(0o644)
    assert refusal(cert=pair.cert, key=pair.key, password=password).field == "--tls-key-password-file"


def test_authorities_of_clients_that_are_none_are_refused(authority: Authority, certificates: Path) -> None:
    """Otherwise nobody, or everybody, would be let in."""
    pair = authority.sign("good")
    assert refusal(cert=pair.cert, key=pair.key, clients=pair.key).field == "--tls-client-ca"
    assert refusal(cert=pair.cert, key=pair.key, clients=certificates / "x").field == "--tls-client-ca"
    asked = Certificate.load(Files(pair.cert, pair.key, clients=authority.file))
    assert asked.context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("start", "end", "flaw"),
    [(-3 * DAY, -DAY, "it has expired"), (DAY, 3 * DAY, "it is not valid yet")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_time_has_a_flaw(authority: Authority, start, end, flaw: str) -> None:
    """It is used all the same, for somebody may want to see what happens; the log says it."""
    pair = authority.sign("old", start=start, end=end)
    certificate = Certificate.load(Files(pair.cert, pair.key))
    assert (certificate.flaw, certificate.not_after) == (flaw, None)
