"""Errors as `application/problem+json` (promise H4), whoever raised them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from taskcopilot.errors import BridgeError, RefusedError, StoreBusyError, TooManyRequestsError
from taskcopilot.web.keys import CORE, REFUSALS

__all__ = ["PROBLEM_SCHEMA", "problem_response", "problems"]

_log: Final = logging.getLogger(__name__)

_RETRY_AFTER_BUSY: Final = "1"
"""Seconds; whoever got STORE_BUSY has waited for the lock already."""

PROBLEM_SCHEMA: Final = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457). Some problems have further members, such as ids.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; docs/protocol.md lists them."},
        "field": {"type": "string", "description": "The name of the argument at fault."},
        "error": {"type": "string"},
        "errorId": {"type": "string", "description": "Where the log holds the details of an internal error."},
    },
    "required": ["type", "title", "status", "detail", "code", "error"],
}
"""The JSON schema of every error."""


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a problem. An unexpected one is logged under the `errorId` that the caller gets."""
    try:
        return await handler(request)
    except BridgeError as error:
        if isinstance(error, RefusedError):
            request.app[REFUSALS][error.code] += 1
        return _of_bridge_error(error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _of_http_error(request, error)
    except Exception as error:  # noqa: BLE001 - logged with an id that the caller gets
        if isinstance(error, ConnectionError) and _peer_left(request):
            return web.Response(status=HTTPStatus.BAD_REQUEST)  # nobody will read it
        return _of_defect(request)


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with a problem; `more` comes on top and cannot replace the standard members, but for `error`."""
    standard: dict[str, Any] = {
        "type": f"urn:taskcopilot:problem:{code.lower().replace('_', '-')}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if field is not None:
        standard["field"] = field
    members = standard | {"error": detail} | dict(more or {}) | standard
    return web.Response(
        body=orjson.dumps({name: _clean(value) for name, value in members.items()}, default=str),
        status=status,
        headers=dict(headers or {}) | {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        content_type="application/problem+json",
    )


def _of_bridge_error(error: BridgeError) -> web.Response:
    headers = {"Retry-After": _RETRY_AFTER_BUSY} if isinstance(error, StoreBusyError) else {}
    if isinstance(error, TooManyRequestsError):
        headers = {"Retry-After": str(error.details["retryAfter"])}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="taskcopilot"'
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s: %s", error.code, error.message)
    return problem_response(
        error.status, error.code, error.message, field=error.field, more=error.details, headers=headers
    )


def _of_http_error(request: web.Request, error: web.HTTPException) -> web.Response:
    """Keep the three keys of the original beside the problem's."""
    phrase = HTTPStatus(error.status).phrase
    message = phrase
    if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        message = f"Route {request.method}:{request.raw_path} not found"
    headers = {name: value for name, value in error.headers.items() if name == hdrs.ALLOW}
    more = {"message": message, "error": phrase, "statusCode": error.status}
    code = phrase.upper().replace(" ", "_").replace("-", "_")
    return problem_response(error.status, code, message, more=more, headers=headers)


def _clean(value: Any) -> Any:
    """Replace what is no Unicode: request lines may hold any bytes, and errors quote them."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _peer_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _of_defect(request: web.Request) -> web.Response:
    error_id = request.app[CORE].clock.new_id()
    _log.exception("error %s: %s %s failed", error_id, request.method, request.path)
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "INTERNAL",
        f"a defect of the bridge; its log holds the details under {error_id}",
        more={"errorId": error_id, "error": "Internal Server Error"},
    )
