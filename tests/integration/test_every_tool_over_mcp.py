"""Every tool, called by the SDK's own client over both transports and in both eras of the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from taskcopilot.tools.table import REGISTRY
from tests.helpers.agents import EVERY_WAY, Way, talking

Step = tuple[str, dict[str, Any]]

STEPS: tuple[Step, ...] = (
    ("health_check", {}),
    ("initiative_link", {"initiativeId": "I", "title": "A plan"}),
    ("prd_create", {"title": "What to build", "content": "All of it."}),
    ("prd_get", {"id": "$prd_create"}),
    ("prd_list", {}),
    ("task_create", {"title": "Build", "prdId": "$prd_create", "metadata": {"streamId": "S", "files": ["a.py"]}}),
    ("task_list", {}),
    ("task_get", {"id": "$task_create"}),
    ("task_claim", {"id": "$task_create", "agent": "me"}),
    ("task_update", {"id": "$task_create", "status": "in_progress"}),
    ("agent_heartbeat", {"taskId": "$task_create"}),
    ("events_wait", {"since": 0}),
    ("checkpoint_create", {"taskId": "$task_create"}),
    ("checkpoint_get", {"id": "$checkpoint_create"}),
    ("checkpoint_list", {"taskId": "$task_create"}),
    ("checkpoint_resume", {"taskId": "$task_create"}),
    ("checkpoint_cleanup", {}),
    (
        "work_product_store",
        {"taskId": "$task_create", "type": "implementation", "title": "The work", "content": "It is done."},
    ),
    ("work_product_get", {"id": "$work_product_store"}),
    ("work_product_list", {"taskId": "$task_create"}),
    (
        "agent_handoff",
        {
            "taskId": "$task_create",
            "fromAgent": "me",
            "toAgent": "qa",
            "workProductId": "$work_product_store",
            "handoffContext": "look at it",
            "chainPosition": 1,
            "chainLength": 2,
        },
    ),
    ("agent_chain_get", {"taskId": "$task_create"}),
    ("task_release", {"id": "$task_create", "agent": "me"}),
    ("stream_list", {}),
    ("stream_get", {"streamId": "S"}),
    ("stream_conflict_check", {"files": ["a.py"]}),
    ("stream_archive_all", {"confirm": True}),
    ("stream_unarchive", {"streamId": "S"}),
    ("progress_summary", {}),
    ("skill_record", {"skillName": "pytest-run", "completed": True}),
    ("service_status", {}),
    ("service_rooms", {"service": "mahavishnu"}),
    ("service_publish", {"service": "mahavishnu", "event": "workflow.started", "data": {"workflow_id": "nightly"}}),
    ("initiative_archive", {}),
    ("initiative_wipe", {"confirm": True}),
)
"""The life of a plan. `$tool` stands for the id that the tool answered."""


@EVERY_WAY
async def test_every_tool_can_be_called(tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fewest arguments that say something; each answer fits the schema that the client was given."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with talking(way, tmp_path) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        ids: dict[str, str] = {}
        for name, arguments in STEPS:
            given = {key: ids[value[1:]] if str(value)[0] == "$" else value for key, value in arguments.items()}
            result = await client.call_tool(name, given)
            assert not result.is_error, (name, result)
            assert result.structured_content is not None
            jsonschema.validate(result.structured_content, schemas[name] or {})
            ids[name] = str(result.structured_content.get("id"))


def test_no_tool_is_left_out() -> None:
    """The script above calls each of the table."""
    assert {name for name, _ in STEPS} == {tool.name for tool in REGISTRY}
