"""Answers in JSON."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel

__all__ = ["encode", "json_response"]

_HEADERS: Final = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def encode(value: Any) -> bytes:
    """Return the compact UTF-8 JSON of a model, or of plain values that may hold models."""
    if isinstance(value, BaseModel):
        return value.model_dump_json().encode()
    return orjson.dumps(value, default=_plain)


def json_response(value: Any, status: int = 200) -> web.Response:
    """Answer with a model, with plain values, or with bytes that are JSON already."""
    body = value if isinstance(value, bytes) else encode(value)
    return web.Response(body=body, status=status, headers=_HEADERS)


def _plain(value: Any) -> Any:
    """Turn a model inside of plain values into plain values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not JSON")
