"""The web application: middlewares, routes, and what the handlers find in it."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from taskcopilot.core import Core
from taskcopilot.store.derived import Derived
from taskcopilot.web import mcp, ws
from taskcopilot.web.crowd import Crowd, WriteRates
from taskcopilot.web.gate import demanding_tokens, door
from taskcopilot.web.guard import Guard, guarding
from taskcopilot.web.keys import CONFINED, CORE, CROWD, LISTINGS, REFUSALS
from taskcopilot.web.limiting import limiting
from taskcopilot.web.listing import REMEMBERED
from taskcopilot.web.problems import problems
from taskcopilot.web.routes.description import TABLE
from taskcopilot.web.routes.table import ROUTES
from taskcopilot.web.services import ports
from taskcopilot.web.webhooks.delivering import deliver_webhooks

__all__ = ["make_app"]


def make_app(core: Core) -> web.Application:
    """Build the application on an open core; raises InvalidArgumentError for hosts or origins that are none.

    The guard runs first; only the shape of error answers is outside of it.
    """
    gate = [demanding_tokens] if core.settings.auth else []
    app = web.Application(
        middlewares=[
            problems,
            guarding(Guard.of(core.settings)),
            limiting(WriteRates(core.settings.max_write_rate)),
            *gate,
        ],
        client_max_size=core.settings.max_body,
    )
    app[CORE] = core
    app[CROWD] = Crowd(core.settings.max_connections, core.settings.max_connections_per_address)
    app[REFUSALS] = Counter()
    if gate:
        app.cleanup_ctx.append(door)
    app[LISTINGS] = Derived(limit=REMEMBERED)
    app[TABLE] = ROUTES
    app[CONFINED] = frozenset(path for route in ROUTES if route.confined for path in (route.path, *route.also))
    for route in ROUTES:
        for path in (route.path, *route.also):
            resource = app.router.add_resource(path)
            for method in route.methods:
                resource.add_route(method, route.handler)
    ws.add_routes(app)
    mcp.add_routes(app)
    ports.add_routes(app)
    app.cleanup_ctx.append(deliver_webhooks)
    return app
