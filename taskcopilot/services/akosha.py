"""akosha: patterns and anomalies that were found, insights, and aggregations as they are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field

from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, ServiceEvent
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Request, Service
from taskcopilot.services.state import State

__all__ = ["SERVICE", "Akosha"]

MAX_LISTED: Final = 100
"""Patterns or anomalies in one answer."""

MAX_ANSWER: Final = 524_288
"""Bytes of them: clients of the ecosystem end the connection on a message above 1 MiB."""


def _found(state: Document, event: ServiceEvent) -> Document:
    """Keep what was said last of an id."""
    del state
    return event.model_dump()


class PatternDetected(OpenEvent):
    """A pattern was found; its type is the category. What else the publisher knows of it goes on as it is."""

    event = "pattern.detected"
    about = "patterns:{pattern_type}"
    goes_to = ("patterns:{pattern_type}",)
    folds = (("pattern:{pattern_id}", _found),)
    pattern_id: Identifier
    pattern_type: Identifier
    description: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class AnomalyDetected(ServiceEvent):
    """Something is not as it used to be."""

    event = "anomaly.detected"
    about = "anomalies:{anomaly_id}"
    goes_to = ("anomalies",)
    folds = (("anomaly:{anomaly_id}", _found),)
    anomaly_id: Identifier
    anomaly_type: str
    severity: Literal["low", "medium", "high", "critical"]
    description: str
    metrics: JsonObject


class InsightGenerated(ServiceEvent):
    """Something was understood. Logged, and in no answer: who was away subscribes with `since`."""

    event = "insight.generated"
    about = "insights:{insight_id}"
    goes_to = ("insights",)
    insight_id: Identifier
    insight_type: str
    title: str
    description: str
    data: JsonObject


class AggregationCompleted(ServiceEvent):
    """A tick of the metrics: the next one says more, so it is delivered and not logged."""

    event = "aggregation.completed"
    about = "metrics:{aggregation_id}"
    goes_to = ("metrics",)
    passing = True
    aggregation_id: Identifier
    aggregation_type: str
    record_count: Annotated[int, Field(ge=0)]
    summary: JsonObject


class _WhichCategory(Arguments):
    category: Identifier | None = None


def _patterns(state: State, asked: _WhichCategory) -> dict[str, Any]:
    """Answer the newest patterns of a category, or of all; none is an answer, too."""
    wanted = asked.category
    found = (pattern for pattern in state.each("pattern") if wanted in (None, pattern["pattern_type"]))
    patterns = list(_listed(found))
    return {"category": wanted or "all", "patterns": patterns, "count": len(patterns)}


def _anomalies(state: State, asked: Arguments) -> dict[str, Any]:
    del asked
    anomalies = list(_listed(state.each("anomaly")))
    return {"anomalies": anomalies, "count": len(anomalies)}


def _listed(found: Iterable[Document]) -> Iterator[Document]:
    """Yield as many as one answer holds, but the first one at any size."""
    size = 0
    for number, document in enumerate(found, start=1):
        size += len(orjson.dumps(document))
        if number > 1 and size > MAX_ANSWER:
            return
        yield document
        if number == MAX_LISTED:
            return


SERVICE: Final = Service(
    name="akosha",
    port=8692,
    greeting="Connected to Akosha pattern detection",
    welcome={"secure": False},
    channels=("patterns:{category}", "anomalies", "insights", "metrics"),
    events=(PatternDetected, AnomalyDetected, InsightGenerated, AggregationCompleted),
    requests=(
        Request("get_patterns", _WhichCategory, _patterns),
        Request("get_anomalies", Arguments, _anomalies),
    ),
)


class Akosha(Broadcaster):
    """The broadcasts of akosha, with the signatures that its programs call. A named argument wins over metadata."""

    service = SERVICE

    async def broadcast_pattern_detected(
        self, pattern_id: str, pattern_type: str, description: str, confidence: float, metadata: JsonObject
    ) -> None:
        """Say that a pattern was found; `confidence` is 0 to 1."""
        named = {"pattern_id": pattern_id, "pattern_type": pattern_type, "description": description}
        await self._broadcast(PatternDetected, **{**metadata, **named, "confidence": confidence})

    async def broadcast_anomaly_detected(
        self, anomaly_id: str, anomaly_type: str, severity: str, description: str, metrics: JsonObject
    ) -> None:
        """Say that something is odd; `severity` is low, medium, high or critical."""
        about = {"anomaly_id": anomaly_id, "anomaly_type": anomaly_type, "severity": severity}
        await self._broadcast(AnomalyDetected, **about, description=description, metrics=metrics)

    async def broadcast_insight_generated(
        self, insight_id: str, insight_type: str, title: str, description: str, data: JsonObject
    ) -> None:
        """Say that something was understood."""
        about = {"insight_id": insight_id, "insight_type": insight_type, "title": title}
        await self._broadcast(InsightGenerated, **about, description=description, data=data)

    async def broadcast_aggregation_completed(
        self, aggregation_id: str, aggregation_type: str, record_count: int, summary: JsonObject
    ) -> None:
        """Say that records were aggregated, to who listens now."""
        about = {"aggregation_id": aggregation_id, "aggregation_type": aggregation_type}
        await self._broadcast(AggregationCompleted, **about, record_count=record_count, summary=summary)
