"""A database as the replaced system leaves it: schema version 10, WAL, rows in every table.

The DDL below is written from the contract, not from `taskcopilot/store/schema`: that the two agree is what
`tests/unit/test_schema.py` proves. All times lie in March 2025 but for those that must not have come yet.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ORIGINAL_DDL", "ORIGINAL_TABLES", "OriginalContents", "build_original_database"]

ORIGINAL_TABLES = (
    "migrations",
    "initiatives",
    "prds",
    "tasks",
    "work_products",
    "activity_log",
    "agent_performance",
    "checkpoints",
    "agent_handoffs",
    "scope_change_requests",
    "agent_activity",
    "protocol_violations",
)

ORIGINAL_DDL = """
CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);

CREATE TABLE initiatives (
  id TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);

CREATE TABLE prds (
  id TEXT PRIMARY KEY, initiative_id TEXT NOT NULL, title TEXT NOT NULL, description TEXT, content TEXT NOT NULL,
  metadata TEXT DEFAULT '{}', status TEXT DEFAULT 'active', created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  CHECK (status IN ('active', 'archived', 'cancelled')),
  FOREIGN KEY (initiative_id) REFERENCES initiatives(id)
);
CREATE INDEX idx_prds_initiative ON prds(initiative_id);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY, prd_id TEXT, parent_id TEXT, title TEXT NOT NULL, description TEXT, assigned_agent TEXT,
  status TEXT DEFAULT 'pending', blocked_reason TEXT, notes TEXT, metadata TEXT DEFAULT '{}',
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  archived INTEGER DEFAULT 0, archived_at TEXT, archived_by_initiative_id TEXT,
  CHECK (status IN ('pending', 'in_progress', 'blocked', 'completed', 'cancelled')),
  FOREIGN KEY (prd_id) REFERENCES prds(id),
  FOREIGN KEY (parent_id) REFERENCES tasks(id)
);
CREATE INDEX idx_tasks_prd ON tasks(prd_id);
CREATE INDEX idx_tasks_parent ON tasks(parent_id);
CREATE INDEX idx_tasks_agent ON tasks(assigned_agent);
CREATE INDEX idx_tasks_status ON tasks(status);
CREATE INDEX idx_tasks_archived ON tasks(archived);

CREATE TABLE work_products (
  id TEXT PRIMARY KEY, task_id TEXT NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL, content TEXT NOT NULL,
  metadata TEXT DEFAULT '{}', created_at TEXT NOT NULL, confidence REAL,
  CHECK (type IN ('technical_design', 'implementation', 'test_plan', 'security_review', 'documentation',
                  'architecture', 'other')),
  FOREIGN KEY (task_id) REFERENCES tasks(id)
);
CREATE INDEX idx_work_products_task ON work_products(task_id);
CREATE INDEX idx_work_products_confidence ON work_products(confidence DESC);

CREATE TABLE activity_log (
  id TEXT PRIMARY KEY, initiative_id TEXT NOT NULL, type TEXT NOT NULL, entity_id TEXT NOT NULL, entity_type TEXT,
  summary TEXT NOT NULL, metadata TEXT, created_at TEXT NOT NULL,
  FOREIGN KEY (initiative_id) REFERENCES initiatives(id)
);
CREATE INDEX idx_activity_log_initiative ON activity_log(initiative_id);

CREATE TABLE agent_performance (
  id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, task_id TEXT NOT NULL, work_product_type TEXT, complexity TEXT,
  outcome TEXT NOT NULL, duration_ms INTEGER, created_at TEXT NOT NULL,
  CHECK (outcome IN ('success', 'failure', 'blocked', 'reassigned')),
  FOREIGN KEY (task_id) REFERENCES tasks(id)
);
CREATE INDEX idx_agent_perf_agent ON agent_performance(agent_id);
CREATE INDEX idx_agent_perf_outcome ON agent_performance(agent_id, outcome);
CREATE INDEX idx_agent_perf_type ON agent_performance(agent_id, work_product_type);
CREATE INDEX idx_agent_perf_created ON agent_performance(created_at DESC);

CREATE TABLE checkpoints (
  id TEXT PRIMARY KEY, task_id TEXT NOT NULL, sequence INTEGER NOT NULL, trigger TEXT NOT NULL,
  task_status TEXT NOT NULL, task_notes TEXT, task_metadata TEXT, blocked_reason TEXT, assigned_agent TEXT,
  execution_phase TEXT, execution_step INTEGER, agent_context TEXT, draft_content TEXT, draft_type TEXT,
  subtask_states TEXT DEFAULT '[]', created_at TEXT NOT NULL, expires_at TEXT,
  iteration_config TEXT, iteration_number INTEGER DEFAULT 0, iteration_history TEXT DEFAULT '[]',
  completion_promises TEXT DEFAULT '[]', validation_state TEXT,
  CHECK (trigger IN ('auto_status', 'auto_subtask', 'manual', 'error')),
  FOREIGN KEY (task_id) REFERENCES tasks(id)
);
CREATE INDEX idx_checkpoints_task ON checkpoints(task_id, sequence DESC);
CREATE INDEX idx_checkpoints_expires ON checkpoints(expires_at);
CREATE INDEX idx_checkpoints_iteration ON checkpoints(task_id, iteration_number DESC);

CREATE TABLE agent_handoffs (
  id TEXT PRIMARY KEY, task_id TEXT NOT NULL, from_agent TEXT NOT NULL, to_agent TEXT NOT NULL,
  work_product_id TEXT NOT NULL, handoff_context TEXT NOT NULL, chain_position INTEGER NOT NULL,
  chain_length INTEGER NOT NULL, created_at TEXT NOT NULL,
  FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE
);
CREATE INDEX idx_handoffs_task ON agent_handoffs(task_id, chain_position ASC);
CREATE INDEX idx_handoffs_agents ON agent_handoffs(from_agent, to_agent);

CREATE TABLE scope_change_requests (
  id TEXT PRIMARY KEY, prd_id TEXT NOT NULL, request_type TEXT NOT NULL, description TEXT NOT NULL,
  rationale TEXT NOT NULL, requested_by TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL,
  reviewed_at TEXT, reviewed_by TEXT, review_notes TEXT,
  CHECK (request_type IN ('add_task', 'modify_task', 'remove_task')),
  CHECK (status IN ('pending', 'approved', 'rejected')),
  FOREIGN KEY (prd_id) REFERENCES prds(id) ON DELETE CASCADE
);
CREATE INDEX idx_scope_change_requests_prd ON scope_change_requests(prd_id);
CREATE INDEX idx_scope_change_requests_status ON scope_change_requests(status);
CREATE INDEX idx_scope_change_requests_created ON scope_change_requests(created_at DESC);

CREATE TABLE agent_activity (
  id TEXT PRIMARY KEY, stream_id TEXT NOT NULL, agent_id TEXT NOT NULL, task_id TEXT NOT NULL,
  activity_description TEXT, phase TEXT, started_at TEXT NOT NULL, last_heartbeat TEXT NOT NULL, completed_at TEXT,
  FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE
);
CREATE INDEX idx_agent_activity_stream ON agent_activity(stream_id);
CREATE INDEX idx_agent_activity_task ON agent_activity(task_id);
CREATE INDEX idx_agent_activity_heartbeat ON agent_activity(last_heartbeat DESC);

CREATE TABLE protocol_violations (
  id TEXT PRIMARY KEY, session_id TEXT NOT NULL, initiative_id TEXT, violation_type TEXT NOT NULL,
  severity TEXT NOT NULL, context TEXT NOT NULL, suggestion TEXT, created_at TEXT NOT NULL,
  CHECK (severity IN ('low', 'medium', 'high', 'critical'))
);
CREATE INDEX idx_violations_session ON protocol_violations(session_id);
CREATE INDEX idx_violations_initiative ON protocol_violations(initiative_id);
CREATE INDEX idx_violations_type ON protocol_violations(violation_type);
CREATE INDEX idx_violations_severity ON protocol_violations(severity);
CREATE INDEX idx_violations_created ON protocol_violations(created_at DESC);
"""


def _id(prefix: str, label: str) -> str:
    """Return an id in the original's form that is the same in every run."""
    digest = hashlib.sha256(f"{prefix}/{label}".encode()).digest()
    bare = str(uuid.UUID(bytes=digest[:16], version=4))
    return f"{prefix}-{bare}" if prefix else bare


def _json(**values: Any) -> str:
    """Write JSON as JavaScript does: no spaces, nothing escaped beyond need."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _at(day: int, minute: int = 0) -> str:
    return f"2025-03-{day:02d}T{9 + minute // 60:02d}:{minute % 60:02d}:07.{minute % 60 * 13:03d}Z"


def _task(label: str) -> str:
    return _id("TASK", label)


@dataclass(frozen=True)
class OriginalContents:
    """What the fixture holds: how many rows each table has, and the ids that tests ask for."""

    rows: Mapping[str, int]
    streams: Mapping[str, tuple[str, ...]]
    """The stream id as text -> ids of its tasks, archived ones included, in order of creation."""

    older_initiative: str = _id("INIT", "older")
    empty_initiative: str = "mobile-app-2025"
    current_initiative: str = _id("INIT", "current")
    """The one with the greatest updated_at."""

    archived_prd: str = _id("PRD", "old billing")
    prd: str = _id("PRD", "checkout")
    locked_prd: str = _id("PRD", "locked")
    cancelled_prd: str = _id("PRD", "cancelled")

    parent_task: str = _task("schema")
    subtasks: tuple[str, ...] = (_task("schema-tables"), _task("schema-indexes"))
    completed_task: str = _task("contracts")
    pending_task: str = _task("pages")
    in_progress_task: str = _task("api")
    blocked_task: str = _task("payment")
    cancelled_task: str = _task("coupons")
    locked_task: str = _task("audit")
    task_without_prd: str = _task("typo")
    null_metadata_task: str = _task("bare")
    numeric_stream_task: str = _task("numeric")
    archived_tasks: tuple[str, ...] = (_task("old-invoices"), _task("old-export"))

    work_product: str = _id("WP", "design")
    expired_checkpoint: str = _id("CP", "expired")
    live_checkpoint: str = _id("CP", "live")
    never_expiring_checkpoint: str = "IT-1741856400000-k3x9q2a"
    handoffs: tuple[str, ...] = (_id("HO", "1"), _id("HO", "2"))
    pending_scope_request: str = _id("SCR", "pending")
    approved_scope_request: str = _id("SCR", "approved")
    active_activity: str = f"ACTIVITY-{_task('api')}"
    completed_activity: str = f"ACTIVITY-{_task('contracts')}"
    violation: str = "VIOL-1741770000000-a1b2c3"


def build_original_database(path: Path) -> OriginalContents:
    """Write a filled database of the original to `path`, which must not exist, and say what is in it."""
    if path.exists():
        raise FileExistsError(path)
    rows = _rows()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(f"BEGIN; {ORIGINAL_DDL} COMMIT;")
        connection.execute("BEGIN")
        for table in ORIGINAL_TABLES:
            for row in rows[table]:
                _insert(connection, table, row)
        connection.execute("COMMIT")
    return OriginalContents(rows={table: len(rows[table]) for table in ORIGINAL_TABLES}, streams=_streams(rows))


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)  # noqa: S608 - names of this file


def _streams(rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, tuple[str, ...]]:
    streams: dict[str, tuple[str, ...]] = {}
    for row in sorted(rows["tasks"], key=lambda row: str(row["created_at"])):
        stream = json.loads(row["metadata"] or "{}").get("streamId")
        if stream is not None:
            streams[str(stream)] = (*streams.get(str(stream), ()), row["id"])
    return streams


def _rows() -> dict[str, list[dict[str, Any]]]:
    return {
        "migrations": [{"version": version, "applied_at": _at(1, version)} for version in range(1, 11)],
        "initiatives": _initiatives(),
        "prds": _prds(),
        "tasks": _tasks(),
        "work_products": _work_products(),
        "activity_log": _activity_log(),
        "agent_performance": _performance(),
        "checkpoints": _checkpoints(),
        "agent_handoffs": _handoffs(),
        "scope_change_requests": _scope_requests(),
        "agent_activity": _agent_activity(),
        "protocol_violations": _violations(),
    }


def _initiatives() -> list[dict[str, Any]]:
    is_ = OriginalContents
    return [
        _initiative(is_.older_initiative, "Billing, first cut", "Invoices and export", _at(2), _at(9)),
        _initiative(is_.empty_initiative, "Mobile app", None, _at(3), _at(3)),
        _initiative(is_.current_initiative, "Checkout für Händler", "Pay in two clicks — ✓", _at(10), _at(13)),
    ]


def _initiative(id_: str, title: str, description: str | None, created: str, updated: str) -> dict[str, Any]:
    return {"id": id_, "title": title, "description": description, "created_at": created, "updated_at": updated}


def _prds() -> list[dict[str, Any]]:
    is_ = OriginalContents
    milestones = [{"id": "M1", "name": "Contracts agreed", "taskIds": [is_.completed_task, is_.parent_task]}]
    return [
        _prd(is_.archived_prd, is_.older_initiative, "Invoices", 2, status="archived"),
        _prd(is_.prd, is_.current_initiative, "Checkout", 10, metadata=_json(priority="P1", milestones=milestones)),
        _prd(is_.locked_prd, is_.current_initiative, "Audit trail", 10, metadata=_json(scopeLocked=True)),
        _prd(is_.cancelled_prd, is_.current_initiative, "Coupons", 11, status="cancelled", metadata=None),
    ]


def _prd(id_: str, initiative: str, title: str, day: int, **values: Any) -> dict[str, Any]:
    row = {"id": id_, "initiative_id": initiative, "title": title, "description": f"{title}, in short"}
    row |= {"content": f'# {title}\n\nWhat it\'s for; and "why".\n', "metadata": "{}", "status": "active"}
    return row | {"created_at": _at(day), "updated_at": _at(day)} | values


def _tasks() -> list[dict[str, Any]]:
    return [*_archived_tasks(), *_foundation_tasks(), *_stream_tasks(), *_tasks_outside_streams()]


def _archived_tasks() -> list[dict[str, Any]]:
    is_ = OriginalContents
    stream = _json(streamId="Stream-Old", streamName="Invoices", streamPhase="parallel", files=["src/invoice.ts"])
    gone = {"archived": 1, "archived_at": _at(10), "archived_by_initiative_id": is_.current_initiative}
    gone |= {"prd_id": is_.archived_prd, "metadata": stream}
    done, dropped = is_.archived_tasks
    return [
        _task_row(done, "Print invoices", "2025-03-02T09:01:00.000Z", status="completed", **gone),
        _task_row(dropped, "Export invoices", "2025-03-02T09:02:00.000Z", status="cancelled", **gone),
    ]


def _foundation_tasks() -> list[dict[str, Any]]:
    is_ = OriginalContents
    about = {"streamId": "Stream-A", "streamName": "Foundation", "streamPhase": "foundation", "streamDependencies": []}
    stream = {"prd_id": is_.prd, "metadata": _json(**about, files=["db/schema.sql"], activationMode=None)}
    done = _json(**about, complexity="High", verificationRequired=True, acceptanceCriteria=["Both sides agree"])
    tables, indexes = is_.subtasks
    parent = {"parent_id": is_.parent_task, "metadata": _json(activationMode=None)}
    return [
        _task_row(
            is_.completed_task,
            "Agree on contracts",
            _at(10, 1),
            **stream | {"status": "completed", "assigned_agent": "ta", "notes": "Proof: see WP", "metadata": done},
        ),
        _task_row(
            is_.parent_task, "Design the schema", _at(10, 2), status="in_progress", assigned_agent="ta", **stream
        ),
        _task_row(tables, "Tables", _at(10, 3), status="completed", assigned_agent="me", **parent),
        _task_row(indexes, "Indexes", _at(10, 4), **parent),
    ]


def _stream_tasks() -> list[dict[str, Any]]:
    is_ = OriginalContents
    about = {"streamId": "Stream-B", "streamName": "API", "streamPhase": "parallel", "streamDependencies": ["Stream-A"]}
    api = _json(**about, files=["src/api.ts", "src/größe.ts"], streamTokenBudget=50000, phase="implementation")
    pay = _json(**about, streamPaths=["src/pay/**"], autoCommitOnComplete=True, activationMode="thorough")
    pages = _json(streamId="Stream-Z", streamPhase="integration", streamDependencies=["Stream-A", "Stream-B"])
    waits = {"status": "blocked", "blocked_reason": "Waiting for the bank's sandbox", "assigned_agent": "me"}
    prd = {"prd_id": is_.prd}
    return [
        _task_row(
            is_.in_progress_task,
            "Write the API",
            _at(11, 1),
            status="in_progress",
            assigned_agent="me",
            metadata=api,
            **prd,
        ),
        _task_row(is_.blocked_task, "Payment", _at(11, 2), metadata=pay, **waits, **prd),
        _task_row(is_.pending_task, "Pages", _at(11, 3), description="Two clicks, no more", metadata=pages, **prd),
        _task_row(is_.numeric_stream_task, "Made by a script", _at(11, 4), metadata=_json(streamId=5), **prd),
    ]


def _tasks_outside_streams() -> list[dict[str, Any]]:
    is_ = OriginalContents
    return [
        _task_row(is_.cancelled_task, "Coupons", _at(11, 5), status="cancelled", prd_id=is_.cancelled_prd),
        _task_row(is_.locked_task, "Audit trail", _at(11, 6), assigned_agent="sec", prd_id=is_.locked_prd),
        _task_row(is_.task_without_prd, "Fix a typo", _at(11, 7), metadata=_json(activationMode="quick")),
        _task_row(is_.null_metadata_task, "Put in by hand", _at(11, 8), metadata=None),
    ]


def _task_row(id_: str, title: str, created: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": id_,
        "prd_id": None,
        "parent_id": None,
        "title": title,
        "description": None,
        "assigned_agent": None,
    }
    row |= {"status": "pending", "blocked_reason": None, "notes": None, "metadata": "{}"}
    row |= {"archived": 0, "archived_at": None, "archived_by_initiative_id": None}
    return row | {"created_at": created, "updated_at": created} | values


def _work_products() -> list[dict[str, Any]]:
    is_ = OriginalContents
    long_text = "## Decision\n\n" + "Prices are whole cents. " * 400
    return [
        _product(is_.work_product, is_.completed_task, "technical_design", long_text, 0.85, model="opus"),
        _product(_id("WP", "code"), is_.in_progress_task, "implementation", "export const a = 1;\r\n", 0.5),
        _product(_id("WP", "tests"), is_.in_progress_task, "test_plan", "Naïve cases: 😀", None),
        _product(_id("WP", "review"), is_.locked_task, "security_review", "O'Brien -- DROP TABLE tasks;", 1.0),
        _product(_id("WP", "invoices"), is_.archived_tasks[0], "documentation", "", None),
    ]


def _product(
    id_: str, task: str, type_: str, content: str, confidence: float | None, **metadata: Any
) -> dict[str, Any]:
    row = {"id": id_, "task_id": task, "type": type_, "title": f"A {type_}", "content": content}
    return row | {"metadata": _json(**metadata), "created_at": _at(12), "confidence": confidence}


def _activity_log() -> list[dict[str, Any]]:
    is_ = OriginalContents
    logged = [
        ("initiative_created", is_.current_initiative, "initiative", "Created: Checkout für Händler", None),
        ("prd_created", is_.prd, "prd", "Created PRD: Checkout", None),
        ("task_created", is_.completed_task, "task", "Created task: Agree on contracts", None),
        ("task_updated", is_.in_progress_task, "task", "Status: pending -> in_progress", _json(agent="me")),
        ("task_completed", is_.completed_task, "task", "Completed: Agree on contracts", None),
        ("work_product_created", is_.work_product, "work_product", "Created technical_design", "{}"),
        ("streams_auto_archived", is_.older_initiative, None, "Archived 2 tasks", _json(count=2)),
    ]
    return [
        {
            "id": _id("", f"{type_}/{entity}"),
            "initiative_id": is_.current_initiative,
            "type": type_,
            "entity_id": entity,
            "entity_type": entity_type,
            "summary": summary,
            "metadata": metadata,
            "created_at": _at(12, minute),
        }
        for minute, (type_, entity, entity_type, summary, metadata) in enumerate(logged)
    ]


def _performance() -> list[dict[str, Any]]:
    is_ = OriginalContents
    outcomes = [
        ("ta", is_.completed_task, "technical_design", "High", "success"),
        ("me", is_.subtasks[0], None, None, "success"),
        ("me", is_.blocked_task, None, "Medium", "blocked"),
        ("qa", is_.cancelled_task, None, None, "failure"),
    ]
    names = ("agent_id", "task_id", "work_product_type", "complexity", "outcome")
    return [
        dict(zip(names, outcome, strict=True))
        | {"id": _id("", f"performance/{minute}"), "duration_ms": None, "created_at": _at(12, minute)}
        for minute, outcome in enumerate(outcomes)
    ]


def _checkpoints() -> list[dict[str, Any]]:
    is_ = OriginalContents
    states = json.dumps(
        [{"id": task, "status": status} for task, status in zip(is_.subtasks, ("completed", "pending"), strict=True)],
        separators=(",", ":"),
    )
    iteration = {
        "iteration_config": _json(maxIterations=5, completionPromises=["<promise>COMPLETE</promise>"]),
        "iteration_number": 2,
        "iteration_history": '[{"iteration":1,"passed":false}]',
        "completion_promises": '["<promise>COMPLETE</promise>"]',
        "validation_state": _json(lastRun="failed"),
    }
    draft = {"draft_content": "const x = `ü`;\n\n[TRUNCATED]", "draft_type": "implementation", "execution_step": 3}
    twin = _id("CP", "twin")
    return [
        _checkpoint(is_.expired_checkpoint, is_.in_progress_task, 1, "auto_status", _at(12, 60)),
        _checkpoint(is_.live_checkpoint, is_.in_progress_task, 2, "manual", "2099-01-01T00:00:00.000Z", **draft),
        _checkpoint(twin, is_.in_progress_task, 2, "error", _at(13), blocked_reason="Two processes, one number"),
        _checkpoint(is_.never_expiring_checkpoint, is_.parent_task, 1, "manual", None, **iteration),
        _checkpoint("CP-HOOK-1741856401000-z9", is_.parent_task, 2, "auto_subtask", _at(14), subtask_states=states),
        _checkpoint(_id("CP", "archived"), is_.archived_tasks[0], 7, "manual", _at(9), subtask_states=None),
    ]


def _checkpoint(id_: str, task: str, sequence: int, trigger: str, expires: str | None, **values: Any) -> dict[str, Any]:
    row = {"id": id_, "task_id": task, "sequence": sequence, "trigger": trigger, "task_status": "in_progress"}
    row |= {"task_notes": "Half way", "task_metadata": _json(streamId="Stream-B"), "blocked_reason": None}
    row |= {"assigned_agent": "me", "execution_phase": "implementation", "execution_step": None}
    row |= {"agent_context": "{}", "draft_content": None, "draft_type": None, "subtask_states": "[]"}
    row |= {"iteration_config": None, "iteration_number": 0, "iteration_history": "[]", "completion_promises": "[]"}
    return row | {"validation_state": None, "created_at": _at(12, sequence), "expires_at": expires} | values


def _handoffs() -> list[dict[str, Any]]:
    is_ = OriginalContents
    gone = _id("WP", "of a wiped initiative")
    links = [("ta", "me", is_.work_product, "Contracts agreed, write the API"), ("me", "qa", gone, "API up; test it")]
    return [
        {
            "id": id_,
            "task_id": is_.in_progress_task,
            "from_agent": sender,
            "to_agent": receiver,
            "work_product_id": product,
            "handoff_context": context,
            "chain_position": position,
            "chain_length": len(links),
            "created_at": _at(12, position),
        }
        for position, (id_, (sender, receiver, product, context)) in enumerate(zip(is_.handoffs, links, strict=True), 1)
    ]


def _scope_requests() -> list[dict[str, Any]]:
    is_ = OriginalContents
    reviewed = {"reviewed_at": _at(13), "reviewed_by": "ta", "review_notes": None}
    return [
        _scope_request(is_.pending_scope_request, "add_task", "pending"),
        _scope_request(is_.approved_scope_request, "modify_task", "approved", **reviewed),
        _scope_request(_id("SCR", "no"), "remove_task", "rejected", **reviewed | {"review_notes": "It's needed"}),
    ]


def _scope_request(id_: str, type_: str, status: str, **review: Any) -> dict[str, Any]:
    row = {"id": id_, "prd_id": OriginalContents.locked_prd, "request_type": type_, "status": status}
    row |= {"description": "Keep entries for a year", "rationale": "The law", "requested_by": "sec"}
    return row | {"created_at": _at(12), "reviewed_at": None, "reviewed_by": None, "review_notes": None} | review


def _agent_activity() -> list[dict[str, Any]]:
    is_ = OriginalContents
    return [
        _at_work(is_.completed_task, "ta", "Agree on contracts", stream_id="Stream-A", completed_at=_at(12)),
        _at_work(is_.in_progress_task, "me", "Write the API", stream_id="Stream-B", phase="implementation"),
        _at_work(is_.task_without_prd, "me", None, stream_id="default"),
    ]


def _at_work(task: str, agent: str, description: str | None, **values: Any) -> dict[str, Any]:
    row = {"id": f"ACTIVITY-{task}", "agent_id": agent, "task_id": task, "activity_description": description}
    row |= {"phase": None, "started_at": _at(11), "last_heartbeat": _at(12), "completed_at": None}
    return row | values


def _violations() -> list[dict[str, Any]]:
    is_ = OriginalContents
    first = {"id": is_.violation, "session_id": "4711", "initiative_id": is_.current_initiative, "severity": "high"}
    first |= {"violation_type": "files_read_exceeded", "context": _json(filesRead=9), "suggestion": "Ask an agent"}
    second = {"id": "VIOL-1741770060000-d4e5f6", "session_id": "4711", "initiative_id": None, "severity": "low"}
    second |= {"violation_type": "generic_agent_used", "context": _json(agentUsed="Explore"), "suggestion": None}
    return [row | {"created_at": _at(12)} for row in (first, second)]
