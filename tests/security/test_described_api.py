"""The HTTP API against its own description: Schemathesis asks what /openapi.json allows, and what it does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from tests.security.watched import Watched, watching

pytestmark = pytest.mark.timeout(900)

WITHOUT_END = "/api/events/stream"
"""Its answer never ends; tests/integration/test_http_streams.py and test_resume.py read it."""

RULES = re.compile(
    r"Must provide either streamId or taskId|No in-progress task found|expected 1 to chainLength|needs taskId"
    r"|confirm: must be true|set confirm to true|expected a time in ISO 8601|expected a text that is not empty"
    r"|does not fit into 64 bits|nested deeper than|handoffContext: |^since: |^Invalid topic pattern: |archivePath: "
)
"""What the bridge refuses by the values together, or by what is stored: no schema can say so."""

CONFIG = {
    "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},
    "generation": {"allow-x00": True},
}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A bridge that takes as many requests as we can send."""
    with watching(tmp_path_factory.mktemp("described"), "--max-write-rate", "1000000") as bridge:
        yield bridge


@pytest.fixture(scope="module")
def schema(bridge: Watched) -> schemathesis.BaseSchema:
    """The description as the bridge gives it."""
    load_all_checks()
    document = requests.get(f"{bridge.url}/openapi.json", timeout=20).json()
    described = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(CONFIG))
    described.config.update(base_url=bridge.url)
    return described


def operations(schema: schemathesis.BaseSchema) -> list[schemathesis.APIOperation]:
    """Return all but the sockets and what never ends."""
    found = [result.ok() for result in schema.get_all_operations()]
    return [each for each in found if not each.path.startswith("/ws") and each.path != WITHOUT_END]


def hurry(case: schemathesis.Case) -> None:
    """Wait a second at most where the case would wait for events."""
    if case.path.endswith("/events_wait") and isinstance(case.body, dict):
        case.body.setdefault("wait", 0)
    for arguments in (case.query, case.body):
        if isinstance(arguments, dict) and arguments.get("wait") in range(2, 601):
            arguments["wait"] = 1


def beyond_schemas(case: schemathesis.Case, response: schemathesis.Response) -> list[schemathesis.CheckFunction]:
    """Return the check that a rule answers which no schema can say: see RULES; `?limit=` counts as absent."""
    if response.status_code == 400 and RULES.search(response.json()["detail"]):
        return CHECKS.get_by_names(["positive_data_acceptance"])
    if "" in dict(case.query or {}).values():
        return CHECKS.get_by_names(["negative_data_rejection"])
    return []


def test_the_api_is_as_described(
    bridge: Watched, schema: schemathesis.BaseSchema, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """H3, H4: statuses, media types, headers and bodies are the described ones, and no request is a 5xx."""
    each, statuses, findings = size(3, 30), Counter[int](), list[str]()

    def ask(operation: schemathesis.APIOperation, mode: GenerationMode) -> None:
        @settings(
            max_examples=each,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def conforms(case: schemathesis.Case) -> None:
            hurry(case)
            response = case.call(session=bridge.session, timeout=20)
            statuses[response.status_code] += 1
            case.validate_response(response, excluded_checks=beyond_schemas(case, response))

        try:
            conforms()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing to do wrong
        except FailureGroup as failure:
            findings.append(f"{operation.label}, {mode.value}: {failure}")

    for operation in operations(schema):
        ask(operation, GenerationMode.POSITIVE)
        ask(operation, GenerationMode.NEGATIVE)
    counts = ", ".join(f"{statuses[status]} x {status}" for status in sorted(statuses))
    say(f"{statuses.total()} requests to {len(operations(schema))} operations: {counts}; {len(findings)} findings")
    assert findings == [], "\n".join(findings)
    assert statuses.total() >= size(200, 2_000)
    assert bridge.answers()
