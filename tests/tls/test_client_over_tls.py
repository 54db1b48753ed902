"""The Python clients over TLS: certificates are checked, and who is not trusted is told why."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_copilot_client import CertificateError, TaskCopilotClient, UnreachableError
from task_copilot_client.aio import CertificateError as ChannelCertificateError
from task_copilot_client.aio import ChannelClient
from tests.helpers.certificates import DAY, Authority
from tests.helpers.processes import bridge, running
from tests.helpers.waiting import DEADLINE, wait_until

SERVICE = ("--services", "dhruva", "--service-addresses", "dhruva=0")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def ready(tmp_path: Path, authority: Authority) -> Iterator[dict]:
    """A bridge with a certificate of the authority, for localhost and 127.0.0.1."""
    pair = authority.sign("bridge")
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with bridge(tmp_path, "--db", "tasks.db", *files, *SERVICE) as (_, facts):
        yield facts


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9"], ids=["no proxy", "a proxy that is dead"])
def test_the_client_follows_over_tls(ready: dict, authority: Authority, monkeypatch, proxy: str) -> None:
    """WebSocket, tools and the log; this machine is reached past any proxy."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    seen: list[str] = []
    with TaskCopilotClient(ready["url"], ca_file=authority.file) as client:
        assert client.get_mode() == "websocket"
        assert client.ws_url.startswith("wss://")
        client.subscribe(["task:*"], lambda _topic, _kind, data: seen.append(data["taskTitle"]))
        client.call("task_create", title="one")
        wait_until(lambda: seen == ["one"])
        assert client.head().endswith(":1")


def test_a_burst_over_tls_is_read_whole(ready: dict, authority: Authority) -> None:
    """What TLS has read ahead is not left lying: nothing comes after the last event to wake the client."""
    seen: list[int] = []
    with TaskCopilotClient(ready["url"], ca_file=authority.file) as client:
        client.subscribe(["task:*"], lambda *_: seen.append(1))
        for number in range(300):
            client.call("task_create", title=f"{number} " + "x" * 500)
        wait_until(lambda: len(seen) == 300, "every event")


def test_polling_works_over_tls(ready: dict, authority: Authority) -> None:
    """With the same authorities."""
    seen: list[str] = []
    with TaskCopilotClient(
        ready["url"], use_websocket=False, poll_interval=0.05, ca_file=str(authority.file)
    ) as client:
        assert client.get_mode() == "http"
        client.subscribe(["task:*"], lambda _topic, _kind, data: seen.append(data["taskTitle"]))
        client.call("task_create", title="one")
        wait_until(lambda: seen == ["one"])


def test_a_certificate_of_an_unknown_authority_is_not_trusted(ready: dict, caplog) -> None:
    """connect is False and the log says why; a call has an error of its own that names what helps."""
    client = TaskCopilotClient(ready["url"])
    with caplog.at_level(logging.WARNING):
        assert client.connect() is False
    assert "the certificate is not trusted" in caplog.text
    with pytest.raises(CertificateError, match="name the file of that with ca_file") as caught:
        client.call("task_create", title="one")
    assert isinstance(caught.value, UnreachableError)


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path, authority: Authority) -> None:
    """Whoever has a certificate of the authority is not the bridge yet."""
    pair = authority.sign("other", names=("bridge.example",))
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with bridge(tmp_path, "--db", "tasks.db", *files) as (_, facts):
        client = TaskCopilotClient(facts["url"], ca_file=authority.file)
        with pytest.raises(CertificateError, match="not valid for"):
            client.head()
        assert client.connect() is False


def test_an_expired_certificate_is_not_trusted(tmp_path: Path, authority: Authority) -> None:
    """The log of the bridge says it too."""
    pair = authority.sign("old", start=-3 * DAY, end=-DAY)
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with bridge(tmp_path, "--db", "tasks.db", *files) as (process, facts):
        assert "it has expired" in process.err.next()
        with pytest.raises(CertificateError, match="has expired"):
            TaskCopilotClient(facts["url"], ca_file=authority.file).head()


def test_the_certificate_that_a_bridge_made_is_trusted_by_its_file(tmp_path: Path) -> None:
    """And by nothing else."""
    with bridge(tmp_path, "--db", "tasks.db", "--tls-self-signed") as (_, facts):
        with TaskCopilotClient(facts["url"], ca_file=facts["certificate"]) as client:
            assert client.get_mode() == "websocket"
        with pytest.raises(CertificateError, match="self-signed"):
            TaskCopilotClient(facts["url"]).head()


def test_the_client_resumes_over_tls(tmp_path: Path) -> None:
    """The bridge is killed and comes back on its port with its certificate: nothing is lost, nothing comes twice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = ("serve", "--json", "--db", "tasks.db", "--tls-self-signed", "--port", str(port))
    seen: list[str] = []
    certificate = tmp_path / "tls" / "certificate.pem"
    with running(tmp_path, *serve) as first:
        first.out.next()
        client = TaskCopilotClient(
            f"https://127.0.0.1:{port}", ca_file=certificate, max_backoff=0.2, probe_interval=0.2
        )
        with client:
            client.subscribe(["task:*"], lambda _topic, _kind, data: seen.append(data["taskTitle"]))
            client.call("task_create", title="before")
            wait_until(lambda: seen == ["before"])
            first.popen.kill()
            first.wait()
            with running(tmp_path, *serve) as second:
                second.out.next()
                client.call("task_create", title="after")
                wait_until(lambda: seen == ["before", "after"])


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    """At once, not as a bridge that does not answer."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"ca_file: cannot use .*ca\.pem"):
        TaskCopilotClient("https://localhost", ca_file=file)


def test_authorities_are_of_no_use_in_plain_http() -> None:
    """Somebody who names them expects to be protected."""
    with pytest.raises(ValueError, match="ca_file: there is no certificate"):
        TaskCopilotClient("http://localhost", ca_file="x")
    with pytest.raises(ValueError, match="ca_file: there is no certificate"):
        ChannelClient("ws://localhost", ca_file="x")


def test_a_plain_client_is_told_that_the_port_speaks_tls(ready: dict) -> None:
    """C6: the error says what to write instead."""
    with pytest.raises(UnreachableError, match="https://"):
        TaskCopilotClient(ready["url"].replace("https", "http")).head()


def test_a_peer_that_never_shakes_hands_holds_nobody_up() -> None:
    """The handshake is within `connect_timeout`."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held: list[socket.socket] = []
        accepting = threading.Thread(target=lambda: [held.append(silent.accept()[0]) for _ in range(2)], daemon=True)
        accepting.start()
        client = TaskCopilotClient(
            f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=0.2, request_timeout=0.2
        )
        began = time.monotonic()
        assert client.connect() is False
        assert time.monotonic() - began < DEADLINE
        accepting.join(DEADLINE)
        for each in held:
            each.close()


async def test_the_asynchronous_client_follows_over_tls(ready: dict, authority: Authority) -> None:
    """A service on its own port; without the authority it says what is missing."""
    url = ready["services"]["dhruva"]
    assert url.startswith("wss://")
    async with ChannelClient(url, ca_file=authority.file) as client:
        assert client.welcome is not None
        await client.subscribe("global")
    with pytest.raises(ChannelCertificateError, match="ca_file"):
        await ChannelClient(url).connect()
    with pytest.raises(ValueError, match="ca_file: cannot use"):
        await ChannelClient(url, ca_file="/nowhere/ca.pem").connect()
