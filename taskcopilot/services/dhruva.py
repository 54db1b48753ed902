"""dhruva: adapters that are stored, updated and distributed, and storages. Every event goes to `global`, too."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, merged
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Request, Service
from taskcopilot.services.state import State

__all__ = ["SERVICE", "Dhruva"]

_ADAPTER: Final = "adapter:{adapter_id}"


def _stored(state: Document, event: AdapterStored) -> Document:
    """Begin anew with what was stored; what is known of its distribution stays."""
    about = {"adapter_id": event.adapter_id, "adapter": event.described(), "stored_at": event.timestamp}
    return {**state, **about, "updated_at": event.timestamp}


def _updated(state: Document, event: AdapterUpdated) -> Document:
    """Change what the update names, and nothing else."""
    adapter = merged(state.get("adapter", {}), event.described())
    return {**state, "adapter_id": event.adapter_id, "adapter": adapter, "updated_at": event.timestamp}


def _distributed(state: Document, event: AdapterDistributed) -> Document:
    """Keep what was said of the newest distribution, beside the adapter itself."""
    about = {"adapter_id": event.adapter_id, "adapter": state.get("adapter", event.described())}
    return {**state, **about, "distribution": dict(event.added()), "distributed_at": event.timestamp}


class _AdapterEvent(OpenEvent):
    about = _ADAPTER
    goes_to: ClassVar[tuple[str, ...]] = (_ADAPTER, "global")
    adapter_id: Identifier

    def described(self) -> dict[str, Any]:
        """Return what was said of the adapter."""
        return {"adapter_id": self.adapter_id, **self.added()}


class AdapterStored(_AdapterEvent):
    """An adapter was stored."""

    event = "adapter.stored"
    folds = ((_ADAPTER, _stored),)


class AdapterUpdated(_AdapterEvent):
    """An adapter has a new version, or is described otherwise."""

    event = "adapter.updated"
    folds = ((_ADAPTER, _updated),)


class AdapterDistributed(_AdapterEvent):
    """An adapter was handed out."""

    event = "adapter.distributed"
    goes_to = (_ADAPTER, "distribution", "global")
    folds = ((_ADAPTER, _distributed),)


class StorageEvent(OpenEvent):
    """Something happened in a storage."""

    event = "storage.event"
    about = "storage:{storage_type}"
    goes_to = ("storage:{storage_type}", "global")
    storage_type: Identifier


class _WhichAdapter(Arguments):
    adapter_id: Identifier


def _adapter_status(state: State, asked: _WhichAdapter) -> dict[str, Any]:
    return {"status": "found", **state.require("adapter", asked.adapter_id)}


SERVICE: Final = Service(
    name="dhruva",
    port=8693,
    greeting="Connected to Dhruva adapter distribution",
    channels=(_ADAPTER, "storage:{storage_type}", "distribution", "global"),
    events=(AdapterStored, AdapterUpdated, AdapterDistributed, StorageEvent),
    requests=(Request("get_adapter_status", _WhichAdapter, _adapter_status),),
)


class Dhruva(Broadcaster):
    """The broadcasts of dhruva, with the signatures that its programs call. A named argument wins over metadata."""

    service = SERVICE

    async def broadcast_adapter_stored(self, adapter_id: str, metadata: JsonObject) -> None:
        """Say that an adapter was stored; the metadata is all that is known of it from now on."""
        await self._broadcast(AdapterStored, **{**metadata, "adapter_id": adapter_id})

    async def broadcast_adapter_updated(self, adapter_id: str, metadata: JsonObject) -> None:
        """Say what of an adapter is new."""
        await self._broadcast(AdapterUpdated, **{**metadata, "adapter_id": adapter_id})

    async def broadcast_adapter_distributed(self, adapter_id: str, metadata: JsonObject) -> None:
        """Say that an adapter was handed out, and where to."""
        await self._broadcast(AdapterDistributed, **{**metadata, "adapter_id": adapter_id})

    async def broadcast_storage_event(self, storage_type: str, event_data: JsonObject) -> None:
        """Say what happened in a kind of storage."""
        await self._broadcast(StorageEvent, **{**event_data, "storage_type": storage_type})
