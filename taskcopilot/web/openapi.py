"""The API description, OpenAPI 3.1, made from the route table and the models: it cannot say what is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from taskcopilot import __version__
from taskcopilot.web.problems import PROBLEM_SCHEMA
from taskcopilot.web.route import Parameter, Route

__all__ = ["describe"]

_REFERENCE: Final = "#/components/schemas/{model}"
_PROBLEM: Final = {"$ref": _REFERENCE.format(model="Problem")}
_IN_PATH: Final = re.compile(r"\{(\w+)\}")

_EVERYWHERE: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
_OF_BODIES: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)

_SOCKET: Final = {
    "get": {
        "operationId": "openSocket",
        "summary": "Open the WebSocket of events; docs/protocol.md describes its messages",
        "responses": {
            "101": {"description": "Switching Protocols"},
            "401": {"$ref": "#/components/responses/401"},
            "403": {"$ref": "#/components/responses/403"},
            "404": {"$ref": "#/components/responses/404"},
            "421": {"$ref": "#/components/responses/421"},
        },
    }
}

_SERVICE_SOCKET: Final = {
    "get": {
        "operationId": "serviceSocket",
        "summary": "The WebSocket of a service, which speaks the room protocol: docs/services.md",
        "parameters": [
            {"name": "service", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        ],
        "responses": _SOCKET["get"]["responses"],
    }
}

_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "Asked for with --auth only: docs/authentication.md",
}

_Models = Mapping[Any, Mapping[str, Any]]
"""(model, mode) -> its schema."""


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the description of the routes and of the socket."""
    schemas, components = _schemas(routes)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Task Copilot Bridge",
            "version": __version__,
            "description": "Tasks and streams of agents, and every change to them as an event.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths | {"/ws": _SOCKET, "/ws/{service}": _SERVICE_SOCKET},
        "components": {
            "schemas": components,
            "responses": _problem_responses(routes),
            "securitySchemes": {"token": _TOKEN},
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[_Models, dict[str, Any]]:
    """Return the schema of each model, by reference, and what they refer to."""
    wanted: dict[tuple[type[BaseModel], Literal["validation", "serialization"]], None] = {}
    for route in routes:
        if isinstance(route.body, type):
            wanted[route.body, "validation"] = None
        if isinstance(route.answer, type):
            wanted[route.answer, "serialization"] = None
    schemas, definitions = models_json_schema(list(wanted), ref_template=_REFERENCE)
    return schemas, definitions.get("$defs", {}) | {"Problem": PROBLEM_SCHEMA}


def _operation(route: Route, schemas: _Models) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": route.operation_id, "summary": route.summary}
    if parameters := [*map(_path_parameter, _IN_PATH.findall(route.path)), *map(_query_parameter, route.parameters)]:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = schemas[route.body, "validation"] if isinstance(route.body, type) else route.body
        operation["requestBody"] = {"required": route.body_required, "content": _json(schema)}
    schema = schemas[route.answer, "serialization"] if isinstance(route.answer, type) else route.answer
    phrase = HTTPStatus(route.status).phrase
    problems = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _problem_statuses(route)}
    answer = {"description": phrase, "content": {route.media: {"schema": dict(schema)}}}
    operation["responses"] = {str(route.status): answer} | problems
    return operation


def _problem_statuses(route: Route) -> list[int]:
    statuses = {*map(int, _EVERYWHERE), *route.problems}
    if route.parameters or route.body is not None:
        statuses.add(int(HTTPStatus.BAD_REQUEST))
    if route.body is not None:
        statuses.update(map(int, _OF_BODIES))
    return sorted(statuses)


def _problem_responses(routes: Iterable[Route]) -> dict[str, Any]:
    statuses = {int(HTTPStatus.NOT_FOUND), *(status for route in routes for status in _problem_statuses(route))}
    content = {"application/problem+json": {"schema": _PROBLEM}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in sorted(statuses)}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": dict(schema)}}
