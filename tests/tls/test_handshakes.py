"""Who comes in over TLS, who does not, and that neither keeps anybody else waiting."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.keys import CROWD, SOCKETS
from tests.helpers.certificates import DAY, Authority
from tests.helpers.raw import raw, read_answer, request
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until

HALF = b"\x16\x03\x01\x02\x00"
"""The head of a handshake whose rest never comes."""


@pytest.fixture
async def secure(serve, authority: Authority) -> RunningServer:
    """A bridge with a certificate of the authority, which the session of the tests trusts."""
    return await serve(**authority.sign("bridge").flags, trusted=authority.trusted())


@contextlib.asynccontextmanager
async def half_handshakes(port: int, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that have begun a handshake and do not go on."""
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        for _, writer in pairs:
            writer.write(HALF)
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


def refused(server: RunningServer) -> dict[str, int]:
    return dict(server.app[CROWD].refused)


async def shake(port: int, context: ssl.SSLContext, name: str = "localhost") -> ssl.SSLObject:
    """Shake hands and part; returns what was agreed."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    agreed = writer.get_extra_info("ssl_object")
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
    return agreed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_1_3_are_spoken(secure: RunningServer, authority: Authority, version: ssl.TLSVersion) -> None:
    """With HTTP/1.1, whatever else the client would like."""
    context = authority.trusted()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    agreed = await shake(secure.port, context)
    assert (agreed.version(), agreed.selected_alpn_protocol()) == (version.name.replace("_", "."), "http/1.1")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
async def test_older_tls_is_refused(secure: RunningServer, authority: Authority, name: str) -> None:
    """C6: TLS 1.1 and 1.0, from a client that would accept any cipher."""
    context = authority.trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion[name]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(secure.port, context)
    await until(lambda: refused(secure) == {"tls_handshake": 1})
    assert (await secure.get("/health"))["status"] == "ok"


async def test_a_client_notices_a_wrong_name(secure: RunningServer, authority: Authority) -> None:
    """The certificate is for localhost and 127.0.0.1."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await shake(secure.port, authority.trusted(), "bridge.example")


async def test_a_client_notices_another_authority(secure: RunningServer) -> None:
    """Nobody trusts ours without being told to."""
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(secure.port, ssl.create_default_context())


async def test_an_expired_certificate_is_served_with_a_warning(serve, authority: Authority, caplog) -> None:
    """Clients refuse it; the log says why."""
    expired = authority.sign("old", start=-3 * DAY, end=-DAY)
    with caplog.at_level(logging.WARNING):
        server = await serve(**expired.flags, trusted=authority.trusted())
    assert f"the certificate {expired.cert}: it has expired" in caplog.text
    with pytest.raises(ssl.SSLCertVerificationError, match="has expired"):
        await shake(server.port, authority.trusted())


@pytest.mark.parametrize(
    "data",
    [
        request("GET", "/health"),
        request("POST", "/api/tools/task_list", "Content-Type: application/json", body=b"{}" * 50_000),
        request("GET", "/ws", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    ],
    ids=["GET", "POST with a body", "upgrade"],
)
async def test_plain_http_is_told_to_use_tls(secure: RunningServer, caplog, data: bytes) -> None:
    """C6: 400 in plain HTTP; one line of the log, no traceback, and nothing of the request is done."""
    with caplog.at_level(logging.INFO):
        answer = await raw(secure.port, data)
        await until(lambda: refused(secure) == {"plain_http": 1})
    assert (answer.status, answer.json()["code"]) == (400, "TLS_REQUIRED")
    assert "https://" in answer.json()["detail"]
    assert [record.getMessage() for record in caplog.records] == ["127.0.0.1 speaks no TLS and was told so; 1 so far"]
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello", b"\x16" + b"\xff" * 4_000, b"\x16\x03\x01\x00\x00"])
async def test_what_only_begins_like_tls_is_closed(secure: RunningServer, caplog, data: bytes) -> None:
    """One line of the log, no traceback; the next one is served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", secure.port)
    with caplog.at_level(logging.INFO):
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionError):
                await reader.read()
        writer.close()
        await until(lambda: refused(secure) == {"tls_handshake": 1})
    assert len(caplog.records) == 1
    assert "Traceback" not in caplog.text
    assert (await secure.get("/health"))["status"] == "ok"


async def test_failures_do_not_fill_the_log(secure: RunningServer, caplog) -> None:
    """Of a hundred there is one line; the metrics count them all."""
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            assert (await raw(secure.port, request("GET", "/"))).status == 400
        await until(lambda: refused(secure) == {"plain_http": 100})
    assert len(caplog.records) == 1
    async with secure.http.get("/metrics") as response:
        metrics = await response.text()
    assert 'websocket_connection_errors_total{error_type="plain_http",server="taskcopilot"} 100.0' in metrics


async def test_who_connects_and_leaves_is_not_worth_a_line(secure: RunningServer, caplog) -> None:
    """That is how other processes look whether the port is held."""
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", secure.port)
            writer.close()
        await secure.get("/health")
        await until(lambda: secure.app[CROWD].inside == 1)
    assert caplog.records == []


async def test_a_hundred_half_handshakes_keep_nobody_waiting(secure: RunningServer, say) -> None:
    """They are counted among the connections, and everybody else comes in as fast as ever."""
    async with half_handshakes(secure.port, 100):
        await until(lambda: secure.app[CROWD].inside == 100, "the half handshakes being counted")
        began = time.monotonic()
        for _ in range(20):
            async with aiohttp.ClientSession() as fresh, fresh.get(f"{secure.url}/health", ssl=False) as response:
                assert response.status == 200
        took = (time.monotonic() - began) / 20
    say(f"beside 100 half handshakes a new connection is answered in {took * 1000:.1f} ms")
    assert took < 1
    await until(lambda: secure.app[CROWD].inside == 0, "the half handshakes being gone")


@pytest.mark.parametrize("start", [b"", HALF], ids=["nothing", "half a handshake"])
async def test_a_handshake_that_stalls_is_cut_off(serve, authority: Authority, start: bytes) -> None:
    """After the time of the setting, and it is counted no longer."""
    server = await serve(**authority.sign("bridge").flags, trusted=authority.trusted(), tls_handshake_timeout=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(start)
    async with asyncio.timeout(DEADLINE):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    await until(lambda: refused(server) == {"tls_handshake": 1})
    assert server.app[CROWD].inside == 0


async def test_a_peer_that_takes_no_leave_is_let_go(secure: RunningServer, authority: Authority) -> None:
    """The end of TLS wants an answer from the peer; who gives none is cut off and holds no place."""
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.trusted().wrap_bio(incoming, outgoing, server_hostname="localhost")
    reader, writer = await asyncio.open_connection("127.0.0.1", secure.port)
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65_536))
        client.write(request("GET", "/health", "Connection: close", host=f"localhost:{secure.port}"))
        writer.write(outgoing.read())
        await until(lambda: secure.app[CROWD].inside == 1, "the request being in")
        await until(lambda: secure.app[CROWD].inside == 0, "the place being free")
    writer.close()


@pytest.mark.parametrize("way", ["close frame", "end of TLS", "reset"])
async def test_who_leaves_is_forgotten_without_a_word(secure: RunningServer, caplog, way: str) -> None:
    """However the connection ends, and with an answer under way or not."""
    for path in ("/ws", "/ws/dhruva"):
        listener = await secure.http.ws_connect(path)
        transport = listener._response.connection.transport
        await listener.send_json({"type": "ping"})
        if way == "close frame":
            await listener.close()
        elif way == "end of TLS":
            transport.close()
        else:
            transport.abort()
        await until(lambda: not secure.app[SOCKETS], "the socket being forgotten")
        await until(lambda: secure.app[CROWD].inside == 0, "the place being free")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_one_too_many_is_told_so_over_tls_and_nobody_else_notices(serve, authority: Authority) -> None:
    """503 as in plain HTTP; half handshakes count."""
    trusted = authority.trusted()
    server = await serve(**authority.sign("bridge").flags, trusted=trusted, max_connections=3)
    socket_ = await server.http.ws_connect("/ws")
    async with half_handshakes(server.port, 2):
        await until(lambda: server.app[CROWD].inside == 3)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusted)
        writer.write(request("GET", "/health"))
        answer = await read_answer(reader)
        assert (answer.status, answer.json()["code"]) == (503, "TOO_MANY_CONNECTIONS")
        writer.close()
        await socket_.send_json({"type": "ping"})
        assert (await socket_.receive_json(timeout=DEADLINE))["type"] == "pong"
    await until(lambda: server.app[CROWD].inside == 1)
    assert (await server.get("/health"))["status"] == "ok"


async def test_a_crowd_of_handshakes_beyond_the_limit_is_cut_off(serve, authority: Authority) -> None:
    """So many are told why they cannot come in; the rest is closed at once."""
    server = await serve(**authority.sign("bridge").flags, trusted=authority.trusted(), max_connections=1)
    async with half_handshakes(server.port, 80) as readers:
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionError):
                assert await readers[-1].read() == b""
        assert server.app[CROWD].inside == 1


async def test_without_a_certificate_of_theirs_clients_do_not_come_in(serve, authority: Authority) -> None:
    """--tls-client-ca: not without one, not with one of another authority."""
    flags = authority.sign("bridge").flags | {"tls_client_ca": authority.file}
    server = await serve(**flags, trusted=authority.trusted())
    for own in (None, Authority(authority.file.parent, "strangers").sign("stranger")):
        context = authority.trusted()
        if own is not None:
            context.load_cert_chain(own.cert, own.key)
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await server.http.get("/health", ssl=context)
    own, context = authority.sign("client"), authority.trusted()
    context.load_cert_chain(own.cert, own.key)
    async with server.http.get("/health", ssl=context) as response:
        assert response.status == 200
    assert refused(server)["tls_handshake"] >= 2  # aiohttp tries a GET twice


async def test_certificates_of_clients_guard_an_open_address(serve, authority: Authority) -> None:
    """A1: with --tls-client-ca it is listened on without tokens; a certificate of the bridge alone guards nothing."""
    flags = authority.sign("bridge").flags | {"host": "0.0.0.0"}
    with pytest.raises(InvalidArgumentError) as caught:
        await serve(**flags)
    assert caught.value.field == "--host"
    trusted, own = authority.trusted(), authority.sign("client")
    trusted.load_cert_chain(own.cert, own.key)
    server = await serve(**flags, tls_client_ca=authority.file, trusted=trusted)
    assert (await server.get("/health"))["status"] == "ok"


async def test_a_bridge_that_cannot_use_its_certificate_listens_nowhere(serve, authority: Authority) -> None:
    """Not in plain HTTP either."""
    pair = authority.sign("bridge")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(InvalidArgumentError) as caught:
        await serve(tls_cert=pair.cert, port=port)
    assert caught.value.field == "--tls-key"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_every_address_of_a_name_is_listened_on(serve, authority: Authority) -> None:
    """`localhost` is two of them where the machine has IPv6."""
    server: Any = await serve(**authority.sign("bridge").flags, trusted=authority.trusted(), host="localhost")
    async with server.http.get(f"https://127.0.0.1:{server.port}/health") as response:
        assert response.status == 200
