"""TLS from the command line: what is said, what is refused, and processes that find each other."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
from pathlib import Path

import pytest
import requests

from taskcopilot.tls.self_signed import files_of
from tests.helpers.certificates import Authority
from tests.helpers.peer import Peer
from tests.helpers.processes import bridge, run, running
from tests.helpers.waiting import wait_until
from tests.integration.test_channel import Host, create, cursor
from tests.integration.test_takeover import HELLO

SIGNED = ("--db", "tasks.db", "--tls-self-signed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def health(home: Path, port: int) -> dict[str, object]:
    """Ask with the certificate of the workspace; nothing while there is no bridge."""
    with contextlib.suppress(OSError, ValueError):
        found = requests.get(f"https://127.0.0.1:{port}/health", verify=str(own(home)), timeout=5)
        return dict(found.json())
    return {}


def own(home: Path) -> Path:
    return files_of(home / "tasks.db").cert


def test_serve_says_which_certificate_clients_can_trust(tmp_path: Path) -> None:
    """Its file and its fingerprint, as JSON and for people; the same at the next start."""
    with bridge(tmp_path, *SIGNED) as (_, ready):
        assert ready["url"].startswith("https://127.0.0.1:")
        assert ready["certificate"] == str(own(tmp_path))
        requests.get(f"{ready['url']}/health", verify=ready["certificate"], timeout=20).raise_for_status()
    with running(tmp_path, "serve", "--port", "0", *SIGNED) as process:
        lines = [process.err.next().split(maxsplit=1) for _ in range(8)]
        assert ["certificate", str(own(tmp_path))] in lines
        assert ["sha-256", ready["fingerprint"]] in lines
        assert next(line[1] for line in lines if line[0] == "websocket").startswith("wss://")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--tls-cert", "bridge.pem"), "--tls-key"),
        (("--tls-key", "bridge.key"), "--tls-cert"),
        (("--tls-client-ca", "authority.pem"), "--tls-cert"),
        (("--tls-cert", "bridge.pem", "--tls-key", "nowhere.key"), "--tls-key"),
        (("--tls-cert", "bridge.pem", "--tls-key", "bridge.pem"), "--tls-key"),
        (("--tls-cert", "bridge.pem", "--tls-key", "other.key"), "--tls-key"),
        (("--tls-self-signed", "--tls-cert", "bridge.pem"), "--tls-self-signed"),
        (("--tls-handshake-timeout", "0"), "--tls-handshake-timeout"),
    ],
)
def test_what_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, arguments: tuple[str, ...], field: str) -> None:
    """Exit code 2, and nothing is served."""
    authority = Authority(tmp_path)
    authority.sign("bridge").cert.chmod(0o600)
    authority.sign("other")
    done = run(tmp_path, "serve", "--json", "--port", "0", "--db", "tasks.db", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr.splitlines()[-1])["field"] == field


@pytest.mark.parametrize(("text", "shown"), [("on", True), ("TRUE", True), ("0", False), ("off", False)])
def test_the_switch_is_a_flag_and_a_variable(tmp_path: Path, text: str, shown: bool) -> None:
    """With where it comes from; anything else is refused."""
    done = run(tmp_path, "config", "show", "--json", TASKCOPILOT_TLS_SELF_SIGNED=text)
    (row,) = [row for row in json.loads(done.stdout) if row["name"] == "tls_self_signed"]
    assert row == {"name": "tls_self_signed", "value": shown, "origin": "TASKCOPILOT_TLS_SELF_SIGNED"}
    assert run(tmp_path, "config", "show", TASKCOPILOT_TLS_SELF_SIGNED="maybe").returncode == 2


@pytest.mark.parametrize("first", [SIGNED, ("--db", "tasks.db")], ids=["TLS", "plain"])
@pytest.mark.parametrize("second", [SIGNED, ("--db", "tasks.db")], ids=["TLS", "plain"])
def test_who_holds_the_port_is_told_whatever_both_speak(
    tmp_path: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    """By pid and workspace."""
    with bridge(tmp_path, *first) as (holder, ready):
        port = ready["url"].rpartition(":")[2]
        done = run(tmp_path, "serve", "--json", "--port", port, *second)
        assert done.returncode == 1
        assert json.loads(done.stderr.splitlines()[-1])["pid"] == holder.pid


def test_who_holds_the_port_is_told_where_clients_show_certificates(tmp_path: Path) -> None:
    """A bridge shows its own to the other."""
    authority = Authority(tmp_path)
    pair, ca = authority.sign("bridge"), str(authority.file)
    options = ("--db", "tasks.db", "--tls-cert", str(pair.cert), "--tls-key", str(pair.key), "--tls-client-ca", ca)
    with bridge(tmp_path, *options) as (holder, ready):
        done = run(tmp_path, "serve", "--json", "--port", ready["url"].rpartition(":")[2], *options)
        assert json.loads(done.stderr.splitlines()[-1])["pid"] == holder.pid


def test_another_process_takes_the_port_over_tls(tmp_path: Path) -> None:
    """kill -9 of the holder: the next one serves with the same certificate, and knew before who held the port."""
    port = free_port()
    options = ("mcp", *SIGNED, "--port", str(port))
    with running(tmp_path, *options) as first:
        first.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        first.out.next()
        wait_until(lambda: health(tmp_path, port).get("pid") == first.pid, "the first one answering")
        with running(tmp_path, *options) as second:
            second.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
            second.out.next()
            second.err.until(lambda line: f"the bridge of this workspace (pid {first.pid}) holds the port" in line)
            before = own(tmp_path).read_bytes()
            first.stop(signal.SIGKILL)
            wait_until(lambda: health(tmp_path, port).get("pid") == second.pid, "the second one answering")
            assert own(tmp_path).read_bytes() == before
        assert "handshake" not in first.err.text()


def test_an_mcp_server_without_a_usable_certificate_serves_no_port(tmp_path: Path) -> None:
    """The tools work all the same; nothing is served in plain HTTP."""
    port = free_port()
    with running(tmp_path, "mcp", "--db", "tasks.db", "--port", str(port), "--tls-cert", "nowhere.pem") as process:
        process.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        assert json.loads(process.out.next())["result"]
        process.err.until(lambda line: "not served: TLS needs the key" in line)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()


def test_a_bridge_with_a_locked_key_starts_without_a_terminal(tmp_path: Path) -> None:
    """The password comes from its file."""
    authority = Authority(tmp_path)
    pair = authority.sign("bridge", password=b"open sesame")
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("open sesame\n")
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key), "--tls-key-password-file", str(password))
    with bridge(tmp_path, "--db", "tasks.db", *files) as (_, ready):
        requests.get(f"{ready['url']}/health", verify=str(authority.file), timeout=20).raise_for_status()
        with Peer(ready["url"], tls=authority.trusted()) as peer:
            assert peer.subscribe("*")["activeSubscriptions"] == 1


@pytest.mark.parametrize("trust", ["self-signed", "--ca-file", "TASKCOPILOT_CA_FILE"])
def test_a_channel_follows_over_tls(tmp_path: Path, trust: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the certificate of the workspace, or with the authorities that it is given."""
    authority = Authority(tmp_path)
    pair, ca = authority.sign("bridge"), str(authority.file)
    files = {"TASKCOPILOT_TLS_CERT": str(pair.cert), "TASKCOPILOT_TLS_KEY": str(pair.key)}
    arguments, variables = {
        "self-signed": ((), {"TASKCOPILOT_TLS_SELF_SIGNED": "on"}),
        "--ca-file": (("--ca-file", ca), files),
        "TASKCOPILOT_CA_FILE": ((), files | {"TASKCOPILOT_CA_FILE": ca}),
    }[trust]
    with bridge(tmp_path, "--db", "tasks.db", **variables) as (_, ready):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ready["certificate"])
        port = ready["url"].rpartition(":")[2]
        options = ("channel", "--db", "tasks.db", "--port", port, "--session", "s", "--types", "task.created")
        with running(tmp_path, *options, *arguments, **variables) as process:
            host = Host(process)
            host.introduce()
            wait_until(lambda: cursor(tmp_path) >= 0, "the cursor")
            create(ready["url"])
            assert host.notice()["meta"]["seq"] == "1"


def test_hosts_are_pointed_to_the_address_with_tls(tmp_path: Path) -> None:
    """`init --http` and `hooks install` write https where the settings ask for TLS."""
    switch = {"TASKCOPILOT_TLS_SELF_SIGNED": "on"}
    run(tmp_path, "init", "--http", **switch)
    assert "https://127.0.0.1:9090/mcp" in (tmp_path / ".mcp.json").read_text("utf-8")
    run(tmp_path, "hooks", "install", **switch)
    assert "https://127.0.0.1:9090/hooks/claude-code" in (tmp_path / ".claude" / "settings.json").read_text("utf-8")


def test_the_certificate_of_a_running_bridge_is_that_of_its_file(tmp_path: Path) -> None:
    """What `serve` printed can be compared with what a client sees."""
    with bridge(tmp_path, *SIGNED) as (_, ready):
        port = int(ready["url"].rpartition(":")[2])
        seen = ssl.get_server_certificate(("127.0.0.1", port), ca_certs=ready["certificate"])
        assert seen.strip() == own(tmp_path).read_text("utf-8").strip()
