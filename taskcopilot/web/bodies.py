"""Request bodies: JSON objects of bounded size, depth and time (promise H5)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from taskcopilot.clock import Clock
from taskcopilot.errors import InvalidArgumentError, RefusedError
from taskcopilot.web.keys import CORE

__all__ = ["read_json", "read_object", "read_optional_object"]

T = TypeVar("T")

_OCTETS: Final = "application/octet-stream"
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


async def read_json(request: web.Request) -> bytes:
    """Return the body, which must call itself JSON, as it came; raises as `read_object`."""
    _refuse_other_types(request)
    return await _read(request)


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object; raises RefusedError or InvalidArgumentError.

    When the peer leaves meanwhile, ConnectionError.
    """
    return _object(_decode(await read_json(request), request.app[CORE].settings.max_json_depth))


async def read_optional_object(request: web.Request) -> dict[str, Any]:
    """Return the body like `read_object`, and an empty object for no body at all or for `null`.

    Some clients say of no body that it is octets.
    """
    if request.content_type == _OCTETS and not await _read(request):
        return {}
    value = _decode(await read_json(request), request.app[CORE].settings.max_json_depth)
    return {} if value is None else _object(value)


def _refuse_other_types(request: web.Request) -> None:
    """Let in JSON only: browsers send other types across origins without asking."""
    kind = request.content_type.lower()
    if hdrs.CONTENT_TYPE not in request.headers or not (kind == "application/json" or kind.endswith("+json")):
        raise _unsupported("the body must be JSON, sent as application/json")
    if (request.charset or "utf-8").lower() not in _UTF_8:
        raise _unsupported("JSON is UTF-8; another charset is not supported")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise _unsupported("a compressed body is not supported")


async def _read(request: web.Request) -> bytes:
    settings = request.app[CORE].settings
    limit = settings.max_body
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        return await _within(request.app[CORE].clock, settings.body_timeout, request.read())
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except HttpProcessingError as error:
        raise InvalidArgumentError(f"the body is broken: {error.message}", error="Bad Request") from None


async def _within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of the work; raise RefusedError when it takes longer than that."""
    reading, deadline = asyncio.ensure_future(work), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({reading, deadline}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return reading.result()
    finally:
        reading.cancel()
        deadline.cancel()
    raise RefusedError(
        f"the body did not arrive within {seconds:g} seconds",
        code="REQUEST_TIMEOUT",
        status=408,
        error="Request Timeout",
    )


def _decode(body: bytes, most: int) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(f"the body is no JSON: {error}") from None
    _refuse_depth(body, value, most)
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _malformed("the body must be a JSON object")
    return value


def _refuse_depth(body: bytes, value: Any, most: int) -> None:
    if body.count(b"[") + body.count(b"{") <= most:
        return
    level = [value]
    for _ in range(most):
        level = [item for container in level for item in _items(container) if isinstance(item, (dict, list))]
        if not level:
            return
    raise _malformed(f"the body is nested deeper than {most} levels")


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _malformed(message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, error="Bad Request")


def _unsupported(message: str) -> RefusedError:
    return RefusedError(message, code="UNSUPPORTED_MEDIA_TYPE", status=415, error="Unsupported Media Type")


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        f"the body is larger than {limit} bytes", code="PAYLOAD_TOO_LARGE", status=413, error="Payload Too Large"
    )
