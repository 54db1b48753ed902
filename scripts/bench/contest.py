"""Who is measured side by side, and how one of them is given a burst."""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.machine import LOAD_CORE, SERVER_CORE, cpu_seconds, waited_seconds
from bench.processes import CACHE, ROOT, Process, python, scratch, started
from bench.workload import template

__all__ = ["BRIDGE", "NATS", "NODE", "NULL", "PEERS", "RAW", "Burst", "Contestant", "Pair", "facing"]


@dataclass(frozen=True)
class Contestant:
    """A server, how to start it with a directory of its own, and what its subscribers speak."""

    name: str
    command: Callable[[Path], Sequence[str]]
    dialect: str = "bridge"
    missing: Callable[[], str] = str
    """Why it cannot be measured here; empty when it can."""
    slowness: int = 1
    """It gets so many times fewer events, to save time."""


@dataclass(frozen=True)
class Burst:
    """What a burst cost: CPU of the server and of the load generator, and the time from the first event to the last."""

    deliveries: int
    seconds: float
    cpu: float
    load_cpu: float
    waited: float
    """Seconds for which the server had to wait for its core: what else ran on this machine."""

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.deliveries / self.seconds

    @property
    def us(self) -> float:
        """Microseconds of the server's CPU a delivery."""
        return self.cpu / self.deliveries * 1e6


@dataclass(frozen=True)
class Pair:
    """A server that runs, and its subscribers."""

    server: Process
    ready: dict[str, Any]
    load: Process
    clients: int

    def burst(self, count: int, turn: int, do: str = "burst") -> Burst:
        """Let the server publish a burst, and wait until everybody has all of it."""
        pid = self.ready["pid"]
        self.load.ask(count=count * self.clients)
        cpu, load_cpu, waited = cpu_seconds(pid), cpu_seconds(self.load.pid), waited_seconds(pid)
        began = self.server.ask(do=do, count=count, turn=turn)["began"]
        last = self.load.answer()["last"]
        return Burst(
            count * self.clients,
            (last - began) / 1e9,
            cpu_seconds(pid) - cpu,
            cpu_seconds(self.load.pid) - load_cpu,
            waited_seconds(pid) - waited,
        )

    def paced(self, rate: int, count: int, do: str = "paced") -> tuple[list[float], float]:
        """Let the server publish at a rate; return the latencies in ms, and us of the server's CPU a delivery."""
        pid = self.ready["pid"]
        self.load.ask(count=count * self.clients, sample=True)
        cpu = cpu_seconds(pid)
        self.server.ask(do=do, rate=rate, count=count)
        latencies = self.load.answer()["latencies"]
        return latencies, (cpu_seconds(pid) - cpu) / (count * self.clients) * 1e6

    def profile(self, what: str, work: Callable[[], object]) -> str:
        """Do the work once more under the server's profiler; only the bridge has one."""
        self.server.ask(do="profile", on=True)
        work()
        found: str = self.server.ask(do="profile", on=False, what=what)["found"]
        return found


@contextlib.contextmanager
def facing(contestant: Contestant, clients: int, groups: int = 1) -> Iterator[Pair]:
    """Start a server on its core, and its subscribers on the other."""
    with scratch() as directory, started(contestant.command(directory), core=SERVER_CORE) as server:
        ready = server.answer()
        with subscribers(ready["port"], clients, groups, contestant.dialect) as load:
            yield Pair(server, ready, load, clients)


@contextlib.contextmanager
def subscribers(port: int, clients: int, groups: int = 1, dialect: str = "bridge") -> Iterator[Process]:
    """Start subscribers in a process of their own."""
    command = python("bench.load.subscribers", str(port), str(clients), str(groups), dialect)
    with started(command, core=LOAD_CORE) as load:
        load.answer()
        yield load


def _module(name: str, loop: str) -> Callable[[Path], Sequence[str]]:
    return lambda _directory: python(f"bench.peers.{name}", loop)


def _bridge(loop: str) -> Callable[[Path], Sequence[str]]:
    return lambda directory: python("bench.peers.bridge", loop, str(directory / "tasks.db"))


def _node(_directory: Path) -> Sequence[str]:
    script = ROOT / "scripts" / "bench" / "peers" / "node_ws.mjs"
    return ["node", str(script), str(_NODE_MODULES.parent), json.dumps(template())]


_NODE_MODULES: Final = CACHE / "node" / "node_modules"


@functools.cache
def _node_missing() -> str:
    """Install `ws` below the cache, once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node or npm is absent"
    if not (_NODE_MODULES / "ws").is_dir():
        _NODE_MODULES.parent.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(_NODE_MODULES.parent),
            "ws@8",
        ]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "npm could not install ws"
    return ""


def _nats_missing() -> str:
    return "" if shutil.which("nats-server") else "nats-server is absent"


BRIDGE: Final = {
    "uvloop": Contestant("bridge", _bridge("uvloop")),
    "asyncio": Contestant("bridge on asyncio", _bridge("asyncio")),
}
NODE: Final = Contestant("Node ws, JSON.stringify a client", _node, missing=_node_missing)
NATS: Final = Contestant(
    "nats-server", lambda directory: python("bench.peers.nats", str(directory)), "nats", missing=_nats_missing
)
NULL: Final = Contestant("null server (prepared bytes)", _module("null", "uvloop"))
RAW: Final = {
    "uvloop": Contestant("transport.write a client, uvloop", _module("raw_write", "uvloop")),
    "asyncio": Contestant("transport.write a client, asyncio", _module("raw_write", "asyncio")),
}
PEERS: Final = (
    NODE,
    NATS,
    Contestant("websockets.broadcast", _module("websockets_broadcast", "uvloop")),
    Contestant("python-socketio emit", _module("socketio_emit", "uvloop"), "socketio", slowness=5),
    RAW["uvloop"],
)
