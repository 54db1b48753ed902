"""Write the tables of docs/ from the code that they describe: events, settings, tools. With --check only compare.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from taskcopilot.config import TABLE
from taskcopilot.events import PAYLOADS
from taskcopilot.services.table import SERVICES
from taskcopilot.tools.table import REGISTRY

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
MARKED: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def events() -> Iterator[str]:
    """One row per event type."""
    yield "| type | topic | data |"
    yield "|---|---|---|"
    for name, payload in PAYLOADS.items():
        entity, identifier = payload.about
        fields = [to_camel(key) + ("?" if field.exclude_if else "") for key, field in payload.model_fields.items()]
        yield f"| `{name}` | `{entity}:{{{to_camel(identifier)}}}` | {', '.join(fields)} |"


def settings() -> Iterator[str]:
    """One row per setting."""
    yield "| flag | environment | default | meaning |"
    yield "|---|---|---|---|"
    for setting in TABLE:
        variables = ", ".join(f"`{name}`" for name in (setting.variable, *setting.also))
        default = "" if setting.default in (None, (), {}, False) else f"`{setting.default}`"
        yield f"| `{setting.flag}` | {variables} | {default} | {setting.help} |"


def tools() -> Iterator[str]:
    """One row per tool."""
    yield "| tool | arguments | does |"
    yield "|---|---|---|"
    for tool in REGISTRY:
        schema = tool.input_schema()
        required = schema.get("required", [])
        names = [name if name in required else f"{name}?" for name in schema.get("properties", {})]
        yield f"| `{tool.name}` | {', '.join(names)} | {tool.description} |"


def services() -> Iterator[str]:
    """One row per service."""
    yield "| service | port | channels | requests | clients may publish |"
    yield "|---|---|---|---|---|"
    for service in SERVICES:
        channels = ", ".join(f"`{channel}`" for channel in service.channels)
        requests = ", ".join(f"`{request.event}` ({_names(request.arguments)})" for request in service.requests)
        relays = ", ".join(f"`{relay.event.event}`" for relay in service.relays)
        yield f"| `{service.name}` | {service.port} | {channels} | {requests} | {relays} |"


def service_events() -> Iterator[str]:
    """One row per event of a service."""
    yield "| service | event | data | rooms | topic |"
    yield "|---|---|---|---|---|"
    for service in SERVICES:
        for event in service.events:
            rooms = ", ".join(f"`{room}`" for room in event.goes_to)
            data = ", ".join(filter(None, [_names(event), "..." if event.model_config["extra"] == "allow" else ""]))
            topic = "passing" if event.passing else f"`{event.about}`"
            yield f"| {service.name} | `{event.event}` | {data} | {rooms} | {topic} |"


def _names(model: type[BaseModel]) -> str:
    """Return the fields of a model; those that need not be given have a question mark."""
    fields = {name: field for name, field in model.model_fields.items() if name != "timestamp"}
    return ", ".join(name if field.is_required() else f"{name}?" for name, field in fields.items())


TABLES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "events": events,
    "settings": settings,
    "tools": tools,
    "services": services,
    "service_events": service_events,
}


def rendered(text: str) -> str:
    """Return a page with its tables as the code has them."""
    return MARKED.sub(lambda match: match[1] + "\n".join(TABLES[match[2]]()) + "\n" + match[3], text)


def main() -> int:
    """Render every page, or tell which ones are behind."""
    stale = [page for page in sorted(DOCS.glob("*.md")) if rendered(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in stale:
        if "--check" not in sys.argv:
            page.write_text(rendered(page.read_text("utf-8")), "utf-8")
        print(f"{page.name}: {'is behind the code' if '--check' in sys.argv else 'written anew'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
