"""mahavishnu's adapters: what they can do, how they are, and which one was chosen."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from taskcopilot.services.event import Identifier, JsonObject, OpenEvent, ServiceEvent

__all__ = [
    "AdapterDisabled",
    "AdapterEnabled",
    "AdapterHealthChanged",
    "AdapterRegistered",
    "RoutingDecision",
    "WorkerAvailabilityChanged",
]

_ROOMS: Final = ("adapters", "global")


def _none_as_empty(details: Any) -> Any:
    return {} if details is None else details


class _AdapterEvent(ServiceEvent):
    about = "adapter:{adapter_id}"
    goes_to = _ROOMS
    adapter_id: Identifier
    adapter_name: str


class AdapterRegistered(_AdapterEvent):
    """There is a new adapter."""

    event = "adapter.registered"
    capabilities: list[str]
    provider: str
    source: str


class AdapterHealthChanged(_AdapterEvent):
    """An adapter got better or worse."""

    event = "adapter.health_changed"
    old_status: str
    new_status: str
    details: Annotated[JsonObject, BeforeValidator(_none_as_empty)] = Field(default_factory=dict)


class AdapterEnabled(_AdapterEvent):
    """An adapter was switched on."""

    event = "adapter.enabled"
    enabled: bool
    reason: str | None = None


class AdapterDisabled(AdapterEnabled):
    """An adapter was switched off."""

    event = "adapter.disabled"


class RoutingDecision(ServiceEvent):
    """An adapter was chosen for a task; milliseconds."""

    event = "adapter.routing_decision"
    about = "adapter:{selected_adapter}"
    goes_to = _ROOMS
    task_type: str
    selected_adapter: Identifier
    capabilities_matched: list[str]
    latency_ms: Annotated[float, Field(ge=0)]
    fallback_used: bool


class WorkerAvailabilityChanged(OpenEvent):
    """A probe found that a kind of worker can be used, or not."""

    event = "worker.availability_changed"
    about = "worker:{worker_type}"
    goes_to = _ROOMS
    worker_type: Identifier
    state: str
    reason_bucket: str | None = None
    probe_at: str | None = None
