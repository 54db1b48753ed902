"""GET /api/services and POST /api/services/{service}/events: the services over HTTP."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from taskcopilot.model import WireModel
from taskcopilot.services.service import EventName, parse
from taskcopilot.services.table import SERVICES
from taskcopilot.tools.fields import Metadata
from taskcopilot.tools.services import ServicePublished, ServiceStatuses
from taskcopilot.web.bodies import read_object
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.route import Route

__all__ = ["ROUTES"]


class ServiceEventBody(WireModel):
    """An event to be published."""

    event: EventName
    data: Metadata


async def list_services(request: web.Request) -> web.Response:
    """Answer how the services are."""
    return json_response(await request.app[CORE].toolbox.call("service_status", {}))


async def publish_service_event(request: web.Request) -> web.Response:
    """Publish an event; it was handed to every live client before the answer."""
    service = SERVICES[request.match_info["service"]]
    body: ServiceEventBody = parse(ServiceEventBody, await read_object(request))
    published = await request.app[CORE].publisher.publish(service, body.event, body.data)
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
        handler=list_services,
        summary="List the services with their health, connections and rooms",
        answer=ServiceStatuses,
    ),
    Route(
        method="POST",
        path="/api/services/{service}/events",
        handler=publish_service_event,
        summary="Publish an event of a service; 202 for one that is delivered and not logged",
        status=201,
        answer=ServicePublished,
        body=ServiceEventBody,
        problems=(404, 409, 503, 507),
    ),
)
