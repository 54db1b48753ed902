"""What is exported of a running bridge, by name. Labels are bounded: services, verbs and codes that the code knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from taskcopilot import __version__
from taskcopilot.bridge.hub import Hub
from taskcopilot.core import Core
from taskcopilot.histogram import Histogram
from taskcopilot.rooms.desk import Desk
from taskcopilot.tls.keeping import Keeping
from taskcopilot.web.crowd import Crowd
from taskcopilot.web.keys import CORE, CROWD, DESKS, HUB, REFUSALS, TLS

__all__ = ["MAIN", "Snapshot", "families"]

MAIN: Final = "taskcopilot"
"""The label `server` of what `/ws` counts; the services have their names."""

Rows = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot(Collector):
    """Families that were counted before, for a registry."""

    counted: list[Metric]

    def collect(self) -> list[Metric]:
        """See Collector."""
        return self.counted


def families(app: web.Application, sizes: Mapping[str, int]) -> list[Metric]:
    """Count everything, on the event loop; `sizes` are bytes of the files."""
    refusals = app[REFUSALS]
    return [
        *_process(app[CORE]),
        *_sockets(app[HUB], app[DESKS].values(), app[CROWD], "ws" if app[TLS] is None else "wss"),
        *_certificate(app[TLS]),
        *_delivery(app[HUB]),
        *_recorder(app[CORE]),
        *_log(app[HUB], sizes, app[CORE].database.unreadable),
        _counter("taskcopilot_refusals_total", "Requests that were refused.", ("code",), _single(refusals)),
    ]


def _process(core: Core) -> Iterator[Metric]:
    labels = ("version", "workspace")
    yield _gauge("taskcopilot_info", "Which bridge this is.", labels, [((__version__, core.workspace.id), 1)])
    yield _gauge(
        "taskcopilot_ready",
        "0 while the disk refuses writes after an I/O error.",
        (),
        [((), core.database.is_writable)],
    )


def _certificate(keeping: Keeping | None) -> Iterator[Metric]:
    expires = None if keeping is None else keeping.certificate.not_after
    yield _gauge(
        "taskcopilot_certificate_expiry_timestamp_seconds",
        "When the certificate that is shown expires; 0 when it is not valid now.",
        (),
        [] if keeping is None else [((), expires or 0)],
    )


def _sockets(hub: Hub, desks: Iterable[Desk], crowd: Crowd, mode: str) -> Iterator[Metric]:
    """The names of the ecosystem, for `/ws` and for each service."""
    own, desks = hub.measures, tuple(desks)
    yield _counter(
        "websocket_connections_total",
        "Connections that were accepted.",
        ("server", "tls_mode"),
        [
            *(((MAIN, mode), count) for mode, count in own.opened.items()),
            *(((desk.service.name, mode), desk.accepted) for desk in desks),
        ],
    )
    yield _gauge("taskcopilot_connections", "TCP connections of all ports.", (), [((), crowd.inside)])
    active = ((MAIN,), sum(own.opened.values()) - own.closed)
    yield _gauge(
        "websocket_connections_active",
        "Connections that are open.",
        ("server",),
        [active, *(((desk.service.name,), desk.connections) for desk in desks)],
    )
    yield _counter(
        "websocket_messages_total",
        "Messages; of events one per event and client.",
        ("server", "message_type", "direction"),
        [
            ((MAIN, "event", "sent"), own.live + own.replayed),
            *(((MAIN, kind, "received"), count) for kind, count in own.received.items()),
            *(((desk.service.name, verb, "received"), n) for desk in desks for verb, n in desk.received.items()),
        ],
    )
    full = [
        *(((MAIN, limit), count) for limit, count in crowd.refused.items()),
        *(((desk.service.name, "max_connections"), desk.errors["max_connections"]) for desk in desks),
    ]
    yield _counter(
        "websocket_connection_errors_total", "Connections that were refused.", ("server", "error_type"), full
    )
    yield _counter(
        "websocket_message_errors_total",
        "Messages that were refused.",
        ("server", "error_type"),
        [
            *(((MAIN, code.lower()), count) for code, count in own.errors.items()),
            *(
                ((desk.service.name, code.lower()), count)
                for desk in desks
                for code, count in desk.errors.items()
                if code != "max_connections"
            ),
        ],
    )


def _delivery(hub: Hub) -> Iterator[Metric]:
    own, now = hub.measures, hub.statistics()
    yield _histogram(
        "websocket_broadcast_duration_seconds",
        "From the commit of events to the last write of their turn.",
        own.delivery,
        MAIN,
    )
    yield _histogram("websocket_latency_seconds", "From a client's message to its answer.", own.handling, MAIN)
    yield _gauge("websocket_subscriptions", "Patterns that clients hold.", ("server",), [((MAIN,), now.patterns)])
    yield _gauge("taskcopilot_groups", "Sets of clients that get the same bytes.", (), [((), now.groups)])
    yield _gauge(
        "taskcopilot_clients",
        "Sockets, streams and long polls, by how they get their events.",
        ("state",),
        [(("live",), now.live), (("catching_up",), now.catching_up)],
    )
    yield _counter(
        "taskcopilot_delivered_events_total",
        "Events written, one per event and client.",
        ("way",),
        [(("live",), own.live), (("log",), own.replayed)],
    )
    yield _counter("taskcopilot_slow_clients_total", "Times that a client left live delivery.", (), [((), own.slow)])
    yield _counter("taskcopilot_gaps_total", "Times that a client was told of a gap.", (), [((), own.gaps)])


def _recorder(core: Core) -> Iterator[Metric]:
    recorder = core.recorder
    yield _gauge("taskcopilot_recorder_queue", "Units of work that wait.", (), [((), recorder.waiting)])
    yield _histogram("taskcopilot_commit_seconds", "Groups of units of work, to their commit.", recorder.commits)
    yield _counter("taskcopilot_commit_failures_total", "Groups that were not kept.", (), [((), recorder.failures)])


def _log(hub: Hub, sizes: Mapping[str, int], unreadable: int) -> Iterator[Metric]:
    log = hub.log_state
    yield _gauge("taskcopilot_log_seq", "The newest event that was handed to the clients.", (), [((), log.head)])
    yield _gauge("taskcopilot_log_events", "Events that the log holds.", (), [((), log.head - log.pruned_to)])
    yield _counter(
        "taskcopilot_log_unreadable_total",
        "Times that a row of the log was read that cannot be delivered.",
        (),
        [((), unreadable)],
    )
    yield _gauge("taskcopilot_file_bytes", "Sizes of the database's files.", ("file",), _single(sizes))


def _single(values: Mapping[str, float]) -> Rows:
    return (((name,), value) for name, value in values.items())


def _counter(name: str, about: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    return _filled(CounterMetricFamily(name, about, labels=labels), rows)


def _gauge(name: str, about: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    return _filled(GaugeMetricFamily(name, about, labels=labels), rows)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, rows: Rows) -> Metric:
    for labels, value in rows:
        family.add_metric(labels, float(value))
    return family


def _histogram(name: str, about: str, measured: Histogram, *server: str) -> Metric:
    family = HistogramMetricFamily(name, about, labels=("server",) if server else ())
    family.add_metric(server, list(measured.buckets()), measured.total)
    return family
