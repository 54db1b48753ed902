"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel

from taskcopilot.store.transaction import ReadTx
from taskcopilot.web.keys import CORE

__all__ = ["answer_view", "encode", "json_response"]

_HEADERS: Final = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def encode(value: Any) -> bytes:
    """Return the compact UTF-8 JSON of a model or of plain values; bytes are JSON already."""
    if isinstance(value, bytes):
        return value
    return value.model_dump_json().encode() if isinstance(value, BaseModel) else orjson.dumps(value)


def json_response(value: Any, status: int = 200) -> web.Response:
    """Answer with a model, with plain values, or with bytes that are JSON already."""
    return web.Response(body=encode(value), status=status, headers=_HEADERS)


async def answer_view(request: web.Request, view: Callable[[ReadTx], BaseModel]) -> web.Response:
    """Answer what a view returns on one snapshot. It is encoded by the thread that reads: lists may be long."""
    return json_response(await request.app[CORE].database.read(lambda tx: encode(view(tx))))
