"""crackerjack: test runs, quality gates and coverage. Every event goes to `global`, too."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from taskcopilot.services.event import Document, Identifier, JsonObject, ServiceEvent
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Request, Service
from taskcopilot.services.state import State

__all__ = ["SERVICE", "Crackerjack"]

MAX_FAILURES: Final = 200
"""Failures that are kept of one run; further ones are only counted."""

MAX_GATES: Final = 200
"""Gates that are kept of one project: those checked last."""

_RUN: Final = "test:{run_id}"
_QUALITY: Final = "quality:{project}"
Count = Annotated[int, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100)]


def _run_started(state: Document, event: TestStarted) -> Document:
    """Begin anew: a run that is started again has no results yet."""
    del state
    about = {"run_id": event.run_id, "test_suite": event.test_suite, "total_tests": event.total_tests}
    return {**about, "status": "running", "failures": [], "failures_seen": 0, "started_at": event.timestamp}


def _run_failed_a_test(state: Document, event: TestFailed) -> Document:
    run: Document = {"run_id": event.run_id, "status": "running", "failures": [], "failures_seen": 0} | state
    failure = {"test_name": event.test_name, "error": event.error}
    return {
        **run,
        "failures": [*run["failures"], failure][:MAX_FAILURES],
        "failures_seen": run["failures_seen"] + 1,
    }


def _run_completed(state: Document, event: TestCompleted) -> Document:
    run = {"failures": [], "failures_seen": 0} | state
    numbers = event.model_dump(include={"run_id", "tests_completed", "tests_failed", "duration_seconds"})
    status = "failed" if event.tests_failed else "passed"
    return {**run, **numbers, "status": status, "completed_at": event.timestamp}


def _gate_checked(state: Document, event: QualityGateChecked) -> Document:
    """Keep the newest result of each gate of the project."""
    passed = event.status.lower() in ("passed", "pass", "success", "ok")
    gate = {"name": event.gate_name, "status": event.status, "passed": passed}
    gate |= {"score": event.score, "threshold": event.threshold, "checked_at": event.timestamp}
    others = {name: of for name, of in state.get("gates", {}).items() if name != event.gate_name}
    gates = {**dict(list(others.items())[-(MAX_GATES - 1) :]), event.gate_name: gate}
    report = event.quality_gate_report or state.get("report")
    return {**state, "project": event.project, "gates": gates, "report": report}


def _coverage_told(state: Document, event: CoverageUpdated) -> Document:
    names = {"line_coverage", "branch_coverage", "path_coverage"}
    return {**state, "project": event.project, "coverage": event.model_dump(include=names)}


class _RunEvent(ServiceEvent):
    about = _RUN
    goes_to = (_RUN, "global")
    run_id: Identifier


class TestStarted(_RunEvent):
    """A test run began."""

    event = "test.started"
    folds = ((_RUN, _run_started),)
    test_suite: str
    total_tests: Count


class TestCompleted(_RunEvent):
    """A test run is over; seconds."""

    event = "test.completed"
    folds = ((_RUN, _run_completed),)
    tests_completed: Count
    tests_failed: Count
    duration_seconds: Annotated[float, Field(ge=0)]


class TestFailed(_RunEvent):
    """One test of a run failed; the run goes on."""

    event = "test.failed"
    folds = ((_RUN, _run_failed_a_test),)
    test_name: str
    error: str
    traceback: str


class QualityGateChecked(ServiceEvent):
    """A gate of a project was checked. `quality_gate_report` is the publisher's, where it has one."""

    event = "quality_gate.checked"
    about = _QUALITY
    goes_to = (_QUALITY, "global")
    folds = ((_QUALITY, _gate_checked),)
    project: Identifier
    gate_name: Identifier
    status: str
    score: float
    threshold: float
    quality_gate_report: JsonObject | None = None


class CoverageUpdated(ServiceEvent):
    """The coverage of a project was measured, in percent."""

    event = "coverage.updated"
    about = "coverage:{project}"
    goes_to = (_QUALITY, "coverage", "global")
    folds = ((_QUALITY, _coverage_told),)
    project: Identifier
    line_coverage: Percent
    branch_coverage: Percent
    path_coverage: Percent


class _WhichRun(Arguments):
    run_id: Identifier


class _WhichProject(Arguments):
    project: Identifier


def _test_status(state: State, asked: _WhichRun) -> dict[str, Any]:
    return state.require("test", asked.run_id, field="run_id")


def _quality_gate(state: State, asked: _WhichProject) -> dict[str, Any]:
    """Answer what is known of a project's gates: passed when all that were checked are; unknown when none was."""
    known = state.require("quality", asked.project, field="project")
    gates = sorted(known.get("gates", {}).values(), key=lambda gate: str(gate["name"]))
    missed = [gate["name"] for gate in gates if not gate["passed"]]
    verdict = {"passed": not missed, "all_passed": not missed, "required_check_failures": missed}
    coverage = known.get("coverage")
    return {
        **(known.get("report") or {}),
        **(verdict if gates else {}),
        "project": known["project"],
        "status": ("failed" if missed else "passed") if gates else "unknown",
        "gates": gates,
        "checks": gates,
        **({"coverage": coverage["line_coverage"], "coverage_details": coverage} if coverage else {}),
    }


SERVICE: Final = Service(
    name="crackerjack",
    port=8686,
    greeting="Connected to Crackerjack quality monitoring",
    welcome={"tls_mode": "WS"},
    channels=(_RUN, _QUALITY, "coverage", "global"),
    events=(TestStarted, TestCompleted, TestFailed, QualityGateChecked, CoverageUpdated),
    requests=(
        Request("get_test_status", _WhichRun, _test_status),
        Request("get_quality_gate", _WhichProject, _quality_gate),
    ),
)


class Crackerjack(Broadcaster):
    """The broadcasts of crackerjack, with the signatures that its programs call."""

    service = SERVICE

    async def broadcast_test_started(self, run_id: str, test_suite: str, total_tests: int) -> None:
        """Say that a test run began."""
        await self._broadcast(TestStarted, run_id=run_id, test_suite=test_suite, total_tests=total_tests)

    async def broadcast_test_completed(
        self, run_id: str, tests_completed: int, tests_failed: int, duration_seconds: float
    ) -> None:
        """Say that a test run is over."""
        numbers = {"tests_completed": tests_completed, "tests_failed": tests_failed}
        await self._broadcast(TestCompleted, run_id=run_id, **numbers, duration_seconds=duration_seconds)

    async def broadcast_test_failed(self, run_id: str, test_name: str, error: str, traceback: str) -> None:
        """Say that a test failed."""
        await self._broadcast(TestFailed, run_id=run_id, test_name=test_name, error=error, traceback=traceback)

    async def broadcast_quality_gate_checked(  # noqa: PLR0917 - the signature is given
        self,
        project: str,
        gate_name: str,
        status: str,
        score: float,
        threshold: float,
        quality_gate_report: JsonObject | None = None,
    ) -> None:
        """Say how a gate of a project was passed, or not."""
        gate = {"gate_name": gate_name, "status": status, "score": score, "threshold": threshold}
        await self._broadcast(QualityGateChecked, project=project, **gate, quality_gate_report=quality_gate_report)

    async def broadcast_coverage_updated(
        self, project: str, line_coverage: float, branch_coverage: float, path_coverage: float
    ) -> None:
        """Say how much of a project the tests cover."""
        covered = {"line_coverage": line_coverage, "branch_coverage": branch_coverage, "path_coverage": path_coverage}
        await self._broadcast(CoverageUpdated, project=project, **covered)
