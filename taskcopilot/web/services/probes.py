"""What health checkers and scrapers ask a service on its own port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taskcopilot.clock import iso
from taskcopilot.rooms.desk import Desk

__all__ = ["health", "metrics"]


def health(desk: Desk) -> dict[str, Any]:
    """Return how the service is."""
    return {
        "status": "healthy",
        "server": desk.service.name,
        "timestamp": iso(desk.backing.clock.now()),
        "checks": {"websocket": "passing"},
        "metrics": {"active_connections": desk.connections, "total_connections": desk.accepted},
    }


def metrics(desk: Desk, mode: str) -> str:
    """Return the counters in the text format of Prometheus; `mode` is `ws`, or `wss` for TLS."""
    return "\n".join([*_lines(desk, mode), ""])


def _lines(desk: Desk, mode: str) -> Iterator[str]:
    server = f'server="{desk.service.name}"'
    yield from _family("websocket_connections_total", "counter", {f'{server},tls_mode="{mode}"': desk.accepted})
    yield from _family("websocket_connections_active", "gauge", {server: desk.connections})
    received = {f'{server},message_type="{verb}",direction="received"': count for verb, count in desk.received.items()}
    yield from _family("websocket_messages_total", "counter", received)
    full = {f'{server},error_type="max_connections"': desk.errors["max_connections"]}
    yield from _family("websocket_connection_errors_total", "counter", full)
    errors = {
        f'{server},error_type="{code.lower()}"': count
        for code, count in desk.errors.items()
        if code != "max_connections"
    }
    yield from _family("websocket_message_errors_total", "counter", errors)


def _family(name: str, kind: str, values: dict[str, int]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value}"
