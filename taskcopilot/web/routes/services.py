"""GET /api/services and POST /api/services/{service}/events: the services over HTTP."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from taskcopilot.auth.access import forbidden
from taskcopilot.model import WireModel
from taskcopilot.services.service import EventName, parse
from taskcopilot.services.table import SERVICES
from taskcopilot.tools.fields import Metadata
from taskcopilot.tools.services import ServicePublished, ServiceStatuses
from taskcopilot.web.bodies import read_object
from taskcopilot.web.gate import view_of
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.route import Route

__all__ = ["ROUTES"]


class ServiceEventBody(WireModel):
    """An event to be published."""

    event: EventName
    data: Metadata


async def list_services(request: web.Request) -> web.Response:
    """Answer how the services are, those whose topics are all in view."""
    view = view_of(request)
    answer = await request.app[CORE].toolbox.call("service_status", {})
    assert isinstance(answer, ServiceStatuses)  # noqa: S101 - for the type checker
    if view is not None:
        whole = [each for each in answer.services if view.covers_entities(SERVICES[each.service].entities)]
        answer = answer.model_copy(update={"services": whole})
    return json_response(answer)


async def publish_service_event(request: web.Request) -> web.Response:
    """Publish an event; it was handed to every live client before the answer."""
    service = SERVICES[request.match_info["service"]]
    body: ServiceEventBody = parse(ServiceEventBody, await read_object(request))
    event, view = service.read(body.event, body.data), view_of(request)
    if view is not None and not view.sees((event.topic(),)):
        raise forbidden("the token does not see what this would change", field="data")
    published = await request.app[CORE].publisher.send(service, body.event, event)
    answer = ServicePublished(
        service=service.name,
        event=body.event,
        seq=published.seq,
        topic=published.topic,
        rooms=list(published.rooms),
    )
    return json_response(answer, 202 if published.seq is None else 201)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/services",
        confined=True,
        handler=list_services,
        summary="List the services with their health, connections and rooms",
        answer=ServiceStatuses,
    ),
    Route(
        method="POST",
        path="/api/services/{service}/events",
        confined=True,
        handler=publish_service_event,
        summary="Publish an event of a service; 202 for one that is delivered and not logged",
        status=201,
        answer=ServicePublished,
        body=ServiceEventBody,
        problems=(404, 409, 503, 507),
    ),
)
