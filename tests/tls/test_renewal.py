"""A certificate that is renewed is shown from then on, without a restart."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from pathlib import Path

import pytest

from taskcopilot.tls.keeping import LOOK
from tests.helpers.certificates import DAY, Authority, Pair
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until


@pytest.fixture
async def secure(serve, authority: Authority) -> RunningServer:
    """A bridge with a certificate of the authority, which the session of the tests trusts."""
    return await serve(**authority.sign("bridge").flags, trusted=authority.trusted())


async def shown(server: RunningServer) -> str:
    """Return the SHA-256 of the certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    try:
        return hashlib.sha256(writer.get_extra_info("ssl_object").getpeercert(binary_form=True)).hexdigest()
    finally:
        writer.close()


def digest(pair: Pair) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first(pair.cert))).hexdigest()


def first(file: Path) -> str:
    return file.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"


async def look(server: RunningServer, times: int = 1) -> None:
    """Let the bridge look at its files, and wait until it is done."""
    for _ in range(times):
        await until(lambda: server.clock.sleeping(LOOK), "the bridge waiting for its next look")
        server.clock.advance(LOOK)
    await until(lambda: server.clock.sleeping(LOOK), "the bridge having looked")


async def test_a_renewed_certificate_is_shown_to_who_comes_next(
    secure: RunningServer, authority: Authority, caplog
) -> None:
    """Connections that stand go on; its expiry is exported."""
    before = await shown(secure)
    listener = await secure.http.ws_connect("/ws")
    with caplog.at_level(logging.INFO):
        renewed = authority.sign("bridge", end=30 * DAY)
        await look(secure)
    assert await shown(secure) == digest(renewed) != before
    assert "new certificate, SHA-256 " in caplog.text
    await listener.send_json({"type": "ping"})
    assert (await listener.receive_json(timeout=DEADLINE))["type"] == "pong"


async def test_a_renewal_that_is_half_done_changes_nothing(secure: RunningServer, authority: Authority, caplog) -> None:
    """The certificate is there, its key not yet: the one before stays, and the rest comes with the next look."""
    before = await shown(secure)
    key = authority.sign("bridge").key.read_bytes()
    renewed = authority.sign("bridge")
    good = renewed.key.read_bytes()
    renewed.key.write_bytes(key)
    await look(secure, times=3)
    assert await shown(secure) == before
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the one before stays: --tls-key" in caplog.text
    renewed.key.write_bytes(good)
    await look(secure)
    assert await shown(secure) == digest(renewed)


@pytest.mark.parametrize("which", ["cert", "key"])
async def test_files_that_vanish_change_nothing(secure: RunningServer, authority: Authority, which: str) -> None:
    """Somebody is at work on them."""
    before = await shown(secure)
    (authority.file.parent / f"bridge.{'pem' if which == 'cert' else 'key'}").unlink()
    await look(secure, times=2)
    assert await shown(secure) == before


async def test_a_certificate_that_ends_soon_is_told_once_a_day(serve, authority: Authority, caplog) -> None:
    """In its last two weeks, by the clock of the bridge, and never before."""
    server = await serve(**authority.sign("bridge", end=90 * DAY).flags, trusted=authority.trusted())
    await look(server, times=3)
    assert caplog.records == []
    left = server.server.certificate.not_after - server.clock.now().timestamp()
    server.clock.advance(left - 10 * DAY.total_seconds())
    await look(server, times=3)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["it expires in 10.0 days"]
    server.clock.advance(DAY.total_seconds())
    await look(server, times=3)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records][1:] == ["it expires in 9.0 days"]
    server.clock.advance(9 * DAY.total_seconds())
    await look(server)
    assert caplog.records[-1].getMessage().endswith("it has expired")


async def test_the_expiry_is_exported(serve, authority: Authority) -> None:
    """As Prometheus wants times; nothing without TLS."""
    server = await serve(**authority.sign("bridge").flags, trusted=authority.trusted())
    plain = await serve(file="plain.db")
    name = "taskcopilot_certificate_expiry_timestamp_seconds"
    texts = []
    for each in (server, plain):
        async with each.http.get("/metrics") as response:
            texts.append(await response.text())
    (line,) = [line for line in texts[0].splitlines() if line.startswith(name + " ")]
    assert float(line.split()[1]) == server.server.certificate.not_after
    assert f"\n{name} " not in texts[1]
