"""GET /metrics: what is counted, under which names, and that the samples in ops/ ask for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from taskcopilot.bridge.wire import WebSocketWire
from taskcopilot.topics import Selector
from taskcopilot.web.keys import HUB
from tests.helpers.server import RunningServer
from tests.helpers.sinks import MemorySink
from tests.helpers.waiting import DEADLINE, until

OPS = Path(__file__).parents[2] / "ops"

CALLS = frozenset({"histogram_quantile", "sum", "rate", "label_values"})
WORDS = frozenset({"by", "or", "le", "instance", "server", "state", "way", "code", "error_type", "message_type", "job"})


class Scrape(dict[str, float]):
    """The samples of one answer, by name with labels as they stand in the text."""

    @classmethod
    async def of(cls, server: RunningServer) -> Scrape:
        async with server.http.get("/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain; version=")
            text = await response.text()
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return cls({_name(sample.name, sample.labels): sample.value for sample in samples})


def _name(name: str, labels: dict[str, str]) -> str:
    shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{shown}}}" if shown else name


async def subscriber(server: RunningServer, *topics: str, **payload: Any) -> aiohttp.ClientWebSocketResponse:
    socket = await server.http.ws_connect("/ws")
    await socket.send_json({"type": "subscribe", "id": 1, "payload": {"topics": topics, **payload}})
    assert (await socket.receive_json(timeout=DEADLINE))["type"] == "subscribed"
    return socket


async def test_deliveries_are_counted_and_timed(server: RunningServer) -> None:
    """One per event and client; the time from the commit to the write is observed."""
    sockets = [await subscriber(server, "task:*") for _ in range(2)]
    await server.call("task_create", title="One")
    for socket in sockets:
        assert (await socket.receive_json(timeout=DEADLINE))["type"] == "event"
    found = await Scrape.of(server)
    assert found['taskcopilot_delivered_events_total{way="live"}'] == 2
    assert found['websocket_broadcast_duration_seconds_count{server="taskcopilot"}'] == 1
    assert found['websocket_connections_total{server="taskcopilot",tls_mode="ws"}'] == 2
    assert found['websocket_connections_active{server="taskcopilot"}'] == 2
    assert found['websocket_messages_total{direction="received",message_type="subscribe",server="taskcopilot"}'] == 2
    assert found['taskcopilot_clients{state="live"}'] == 2
    assert found["taskcopilot_groups"] == 1
    assert found["taskcopilot_log_seq"] == 1
    assert found["taskcopilot_log_events"] == 1
    assert found["taskcopilot_commit_seconds_count"] >= 1
    assert found["taskcopilot_recorder_queue"] == 0
    assert found["taskcopilot_ready"] == 1
    assert found['taskcopilot_file_bytes{file="database"}'] + found['taskcopilot_file_bytes{file="wal"}'] > 0


async def test_gauges_return_to_zero_when_the_clients_are_gone(server: RunningServer) -> None:
    """Nothing of a client stays behind in the gauges; the counters stay."""
    socket = await subscriber(server, "task:*", "stream:*")
    assert (await Scrape.of(server))['websocket_subscriptions{server="taskcopilot"}'] == 2
    await socket.close()
    await until(lambda: server.app[HUB].statistics().members == 0)
    found = await Scrape.of(server)
    assert found['websocket_connections_active{server="taskcopilot"}'] == 0
    assert found['taskcopilot_clients{state="live"}'] == 0
    assert found['websocket_subscriptions{server="taskcopilot"}'] == 0
    assert found["taskcopilot_groups"] == 0
    assert found['websocket_connections_total{server="taskcopilot",tls_mode="ws"}'] == 1


async def test_gaps_replays_and_bad_messages_are_counted(serve) -> None:
    """A cursor from before retention is a gap; what comes from the log is counted apart."""
    server = await serve()
    for number in range(3):
        await server.call("task_create", title=str(number))
    await server.core.recorder.record(lambda tx: tx.execute("DELETE FROM events WHERE seq = 1"))
    await server.core.recorder.record(lambda tx: tx.execute("UPDATE log_state SET pruned_to = 1 WHERE id = 1"))
    socket = await subscriber(server, "task:*", since=0)
    seqs = [(await socket.receive_json(timeout=DEADLINE))["seq"] for _ in range(2)]
    assert seqs == [2, 3]
    await socket.send_str("nonsense")
    assert (await socket.receive_json(timeout=DEADLINE))["type"] == "error"
    found = await Scrape.of(server)
    assert found["taskcopilot_gaps_total"] == 1
    assert found['taskcopilot_delivered_events_total{way="log"}'] == 2
    error = 'websocket_message_errors_total{error_type="ws_invalid_message",server="taskcopilot"}'
    assert found[error] == 1


async def test_a_client_that_does_not_keep_up_is_counted(serve) -> None:
    """It leaves live delivery once."""
    server = await serve(max_outstanding_events=5)
    hub, sink = server.app[HUB], MemorySink()
    member = hub.attach(sink, WebSocketWire(server.clock))
    hub.hold(member, [Selector.of("task:*")], None)
    sink.stall()
    for number in range(7):
        await server.call("task_create", title=str(number))
    found = await Scrape.of(server)
    assert found["taskcopilot_slow_clients_total"] == 1
    assert found['taskcopilot_clients{state="catching_up"}'] == 1
    hub.detach(member)


async def test_refusals_are_counted_by_code(server: RunningServer) -> None:
    """The code is one of ours, never what the caller sent."""
    async with server.http.get("/health", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
    assert (await Scrape.of(server))['taskcopilot_refusals_total{code="FOREIGN_ORIGIN"}'] == 1


async def test_no_label_holds_what_clients_send(server: RunningServer) -> None:
    """Labels are bounded: no topic, title, address or id gets into one."""
    socket = await subscriber(server, "task:canary-topic")
    await socket.send_json({"type": "canary-verb", "id": 1})
    await socket.receive_json(timeout=DEADLINE)
    await server.get("/canary-path", expect=404)
    await server.call("task_create", title="canary-title")
    async with server.http.get("/metrics") as response:
        text = await response.text()
    assert "taskcopilot_ready 1.0" in text
    assert "canary" not in text


async def test_two_bridges_of_one_process_count_apart(serve) -> None:
    """The registry belongs to the application."""
    one, two = await serve(), await serve(file="other.db")
    socket = await subscriber(one, "task:*")
    name = 'websocket_connections_active{server="taskcopilot"}'
    assert (await Scrape.of(one))[name] == 1
    assert (await Scrape.of(two))[name] == 0
    await socket.close()


async def test_foreign_pages_do_not_get_the_numbers(server: RunningServer) -> None:
    """C2 holds for it as for everything else."""
    async with server.http.get("/metrics", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403


def expressions() -> Iterator[str]:
    """Yield what the samples ask Prometheus for."""
    rules = (OPS / "alerts.yml").read_text("utf-8")
    for found in re.finditer(r"expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", rules):
        yield found[1] or found[2]
    dashboard = json.loads((OPS / "grafana-dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query")


def names(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    return set(re.findall(r"[a-z_]+", bare)) - CALLS - WORDS


async def test_the_samples_ask_for_what_is_exported(server: RunningServer) -> None:
    """Dashboard and alerts name exported metrics only; `up` is Prometheus's own."""
    async with server.http.get("/metrics") as response:
        text = await response.text()
    exported = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) | {
        name.partition("{")[0] for name in await Scrape.of(server)
    }
    for expression in expressions():
        asked = names(expression)
        assert asked, expression
        assert asked <= exported | {"up"}, expression


async def test_the_table_of_the_documentation_is_complete(server: RunningServer) -> None:
    """Name, type and labels, of every metric of ours."""
    async with server.http.get("/metrics") as response:
        exported = dict(re.findall(r"^# TYPE (\w+) (\w+)", await response.text(), re.MULTILINE))
    page = (OPS.parent / "docs" / "operations.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `((?:taskcopilot|websocket)_\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert told == {name: kind for name, kind in exported.items() if not name.startswith("process_")}


def test_the_four_alerts_are_there() -> None:
    """Connection failures, latency, unusual connections, availability."""
    rules = re.findall(r"- alert: (\w+)", (OPS / "alerts.yml").read_text("utf-8"))
    assert rules == ["BridgeUnavailable", "ConnectionFailures", "DeliveryLatency", "UnusualConnections"]
    assert sum(1 for _ in expressions()) > 20
