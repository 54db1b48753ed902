"""Every event type with its model: ours, and those of the services that reach the log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from taskcopilot.errors import NotFoundError
from taskcopilot.events import PAYLOADS
from taskcopilot.model import WireModel
from taskcopilot.services.table import SERVICES
from taskcopilot.store.event_rows import UNREADABLE
from taskcopilot.topics import glob_match

__all__ = ["MODELS", "of_type", "schema", "schemas", "type_schema"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Unreadable(WireModel):
    """Stands for a row of the log that an edit by hand has made undeliverable (promise D10)."""

    seq: int
    reason: str


def _models() -> dict[str, type[BaseModel]]:
    of_services = {
        f"{service.name}.{event.event}": event for service in SERVICES for event in service.events if not event.passing
    }
    return {**PAYLOADS, UNREADABLE: Unreadable, **of_services}


MODELS: Final[Mapping[str, type[BaseModel]]] = _models()
"""Event type -> the model of its data. A type may be a glob, for families of events that share a model."""


def of_type(event_type: str) -> str:
    """Return the key of MODELS for an event type; raises NotFoundError for one that does not exist."""
    if event_type in MODELS:
        return event_type
    found = next((key for key in MODELS if glob_match(key, event_type)), None)
    if found is None:
        raise NotFoundError(f"Unknown event type: {event_type[:100]}", field="type")
    return found


@cache
def schema(event_type: str) -> dict[str, Any]:
    """Return the JSON schema of the data of a key of MODELS, complete in itself."""
    found = MODELS[event_type].model_json_schema(mode="serialization")
    return {"$schema": _DIALECT, "$id": f"/schemas/{event_type}.json"} | found


@cache
def schemas(reference: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return type -> schema by reference, and what they refer to; `reference` has a place for the name, `{model}`."""
    wanted = [(model, "serialization") for model in MODELS.values()]
    found, definitions = models_json_schema(wanted, ref_template=reference)  # type: ignore[arg-type]
    return {key: found[model, "serialization"] for key, model in MODELS.items()}, definitions.get("$defs", {})


def type_schema(event_type: str) -> dict[str, Any]:
    """Return the schema of the name of a type: the name itself, or the pattern of a glob."""
    if "*" not in event_type:
        return {"const": event_type}
    return {"type": "string", "pattern": f"^{'.*'.join(map(re.escape, event_type.split('*')))}$"}
