"""fastblocks, and splashstand on top of it: components of pages, and state. Every event goes to `global`, too."""

from __future__ import annotations

from typing import Any, Final

from pydantic import JsonValue

from taskcopilot.model import Omittable
from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, ServiceEvent, merged
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Request, Service
from taskcopilot.services.state import State

__all__ = ["SERVICE", "Fastblocks"]

_COMPONENT: Final = "component:{component_id}"
_UI: Final = "ui:{component_id}"
_PAGE: Final = "page:{page_id}"


def _updated(state: Document, event: UiUpdated) -> Document:
    """Add what is new of a component to what is known of it."""
    metadata = merged(state.get("metadata", {}), event.told())
    return {**_seen(state, event), "metadata": metadata, "updated_at": event.timestamp}


def _rendered(state: Document, event: ComponentRendered) -> Document:
    """Keep how a component was rendered last, and count the times."""
    rendered = {"render_info": event.told(), "render_count": state.get("render_count", 0) + 1}
    return {**_seen(state, event), **rendered, "rendered_at": event.timestamp}


def _seen(state: Document, event: _ComponentEvent) -> Document:
    said = event.added().get("status")
    status = said if isinstance(said, str) else state.get("status", "active")
    return {**state, "component_id": event.component_id, "status": status, "timestamp": event.timestamp}


def _changed(state: Document, event: StateChanged) -> Document:
    del state
    return {"state_path": event.state_path, "value": event.new_value, "timestamp": event.timestamp}


class _ComponentEvent(OpenEvent):
    component_id: Identifier
    page_id: Omittable[Identifier]

    def told(self) -> dict[str, Any]:
        """Return what the publisher said beside the id."""
        return {**({} if self.page_id is None else {"page_id": self.page_id}), **self.added()}


class UiUpdated(_ComponentEvent):
    """What a component shows has changed; with `page_id` in the metadata the page is told, too."""

    event = "ui.updated"
    about = _UI
    goes_to = (_UI, _PAGE, "global")
    folds = ((_COMPONENT, _updated),)


class ComponentRendered(_ComponentEvent):
    """A component was rendered; with `page_id` in the information the page is told, too."""

    event = "component.rendered"
    about = _COMPONENT
    goes_to = (_COMPONENT, _PAGE, "global")
    folds = ((_COMPONENT, _rendered),)


class StateChanged(ServiceEvent):
    """There is a new value at a path of the state."""

    event = "state.changed"
    about = "state:{state_path}"
    goes_to = ("state", "global")
    folds = (("state:{state_path}", _changed),)
    state_path: Identifier
    new_value: JsonValue


class _WhichComponent(Arguments):
    component_id: Identifier


class _WhichState(Arguments):
    state_path: Identifier


def _component_status(state: State, asked: _WhichComponent) -> dict[str, Any]:
    """Answer what is known of a component: `status` is what was said of it last, `active` when nothing was."""
    return state.require("component", asked.component_id)


def _state(state: State, asked: _WhichState) -> dict[str, Any]:
    """Answer the value that was set at exactly this path: paths are names, and not taken apart."""
    return state.require("state", asked.state_path, field="state_path")


SERVICE: Final = Service(
    name="fastblocks",
    port=8684,
    greeting="Connected to Fastblocks UI update stream",
    welcome={"tls_mode": "WS"},
    channels=(_UI, _COMPONENT, _PAGE, "state", "global"),
    events=(UiUpdated, ComponentRendered, StateChanged),
    requests=(
        Request("get_component_status", _WhichComponent, _component_status),
        Request("get_state", _WhichState, _state),
    ),
)


class Fastblocks(Broadcaster):
    """The broadcasts of fastblocks, with the signatures that its programs call. A named argument wins over metadata."""

    service = SERVICE

    async def broadcast_ui_updated(self, component_id: str, metadata: JsonObject) -> None:
        """Say what a component shows now."""
        await self._broadcast(UiUpdated, **{**metadata, "component_id": component_id})

    async def broadcast_component_rendered(self, component_id: str, render_info: JsonObject) -> None:
        """Say that a component was rendered, and how: its `render_time`, for example."""
        await self._broadcast(ComponentRendered, **{**render_info, "component_id": component_id})

    async def broadcast_state_changed(self, state_path: str, new_value: JsonValue) -> None:
        """Say what the value at a path of the state is now."""
        await self._broadcast(StateChanged, state_path=state_path, new_value=new_value)
