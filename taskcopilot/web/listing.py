"""Lists that are asked for again and again: rows that did not change are neither read nor sent twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from taskcopilot.auth.access import View
from taskcopilot.store.derived import Derived
from taskcopilot.store.transaction import ReadTx
from taskcopilot.web.gate import view_of
from taskcopilot.web.json import encode, json_response
from taskcopilot.web.keys import CORE, LISTINGS

__all__ = ["REMEMBERED", "answer_listing"]

REMEMBERED: Final = 4
"""Answers that are kept: a list of 10,000 tasks is 6 MB."""


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    tag: str


async def answer_listing(request: web.Request, view: Callable[[ReadTx], BaseModel | bytes]) -> web.Response:
    """Answer what a view makes of one snapshot; 304 to who has just that.

    The view must depend on rows, on the request's address and on what its token sees alone, not on the time: its
    answer is kept until any program commits anything to the database.
    """
    memory, address = request.app[LISTINGS], (request.path_qs, view_of(request))
    answer = await request.app[CORE].database.read(lambda tx: _recall(memory, address, view, tx))
    if any(answer.tag == known.value for known in request.if_none_match or ()):
        response = web.Response(status=304)
    else:
        response = json_response(answer.body)
    response.etag = answer.tag
    response.headers["Cache-Control"] = "no-cache"
    return response


def _recall(
    memory: Derived, address: tuple[str, View | None], view: Callable[[ReadTx], BaseModel | bytes], tx: ReadTx
) -> _Answer:
    reader, version = tx.version
    return memory.get((reader, address), version, lambda: _made(encode(view(tx))))


def _made(body: bytes) -> _Answer:
    return _Answer(body, sha256(body).hexdigest()[:24])
