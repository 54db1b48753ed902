"""GET /metrics: what Prometheus scrapes, in its text format."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from taskcopilot.web.keys import CORE
from taskcopilot.web.measuring import Snapshot, families
from taskcopilot.web.route import Route

__all__ = ["ROUTES"]


async def get_metrics(request: web.Request) -> web.Response:
    """Answer the numbers of this process, counted on the event loop and put into words on a thread."""
    path = request.app[CORE].database.path
    sizes = await asyncio.to_thread(_sizes, path)
    snapshot = Snapshot(families(request.app, sizes))
    body = await asyncio.to_thread(_text, snapshot)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


def _sizes(path: Path) -> dict[str, int]:
    return {name: _size(path.with_name(path.name + end)) for name, end in (("database", ""), ("wal", "-wal"))}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _text(snapshot: Snapshot) -> bytes:
    """Write a registry of its own: nothing that a library counts in the process's default one gets in."""
    registry = CollectorRegistry()
    registry.register(snapshot)
    ProcessCollector(registry=registry)
    return generate_latest(registry)


ROUTES: Final = (
    Route(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        summary="Numbers for Prometheus",
        answer={"type": "string"},
        media="text/plain",
    ),
)
