"""GET /asyncapi.json and /schemas/: what the socket says, for programs to read (promise H12)."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

from aiohttp import web

from taskcopilot.model import WireModel
from taskcopilot.web import asyncapi
from taskcopilot.web.event_models import MODELS, of_type, schema
from taskcopilot.web.json import encode, json_response
from taskcopilot.web.route import Route

__all__ = ["ROUTES"]


class SchemaLink(WireModel):
    """An event type, and where the schema of its data is. A type with `*` stands for a family of types."""

    type: str
    schema_url: str


class SchemaLinks(WireModel):
    """The event types, in the order of the vocabulary."""

    schemas: list[SchemaLink]


async def get_asyncapi(request: web.Request) -> web.Response:
    """Answer the description; it is made off the event loop, because the schemas take a while."""
    return json_response(await asyncio.to_thread(_document, request.host, request.secure))


@cache
def _vocabulary() -> bytes:
    links = [SchemaLink(type=name, schema_url=f"/schemas/{name}.json") for name in MODELS]
    return encode(SchemaLinks(schemas=links))


def _document(host: str, secure: bool) -> bytes:
    return encode(asyncapi.describe(host, secure=secure))


async def list_schemas(_request: web.Request) -> web.Response:
    """Answer which event types there are."""
    return json_response(await asyncio.to_thread(_vocabulary))


async def get_schema(request: web.Request) -> web.Response:
    """Answer the JSON schema of the data of an event type."""
    key = of_type(request.match_info["type"])
    return json_response(await asyncio.to_thread(lambda: encode(schema(key))))


ROUTES: Final = (
    Route(
        method="GET",
        path="/asyncapi.json",
        confined=True,
        handler=get_asyncapi,
        summary="Describe the socket",
        answer={"type": "object", "description": "An AsyncAPI 3 document."},
    ),
    Route(
        method="GET",
        path="/schemas/",
        confined=True,
        handler=list_schemas,
        summary="List the event types with their JSON schemas",
        answer=SchemaLinks,
        also=("/schemas",),
    ),
    Route(
        method="GET",
        path="/schemas/{type}.json",
        confined=True,
        handler=get_schema,
        summary="The JSON schema of the data of an event type",
        answer={"type": "object", "description": "A JSON schema, draft 2020-12."},
        problems=(404,),
    ),
)
