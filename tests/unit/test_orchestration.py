"""Plans and schedules: what an orchestration decides without a bridge."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from orchestration.plan import PlanError, load  # noqa: E402
from orchestration.schedule import Schedule  # noqa: E402

TASK = '[[stream.task]]\ntitle = "t"\nrun = "true"\n'


def plan(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return path


def streams(*rows: tuple[str, list[str]]) -> str:
    return 'title = "x"\n' + "".join(f'[[stream]]\nid = "{name}"\nneeds = {needs}\n{TASK}' for name, needs in rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", r"plan\.toml"),
        ("", r"at least one \[\[stream\]\]"),
        ("[[stream]]\nid='a'\n" + TASK, "the plan: title"),
        ('title="x"\nfoo=1\n', "foo: unknown key"),
        ('title="x"\n[[stream]]\nid="a"\n', r"stream 'a': expected at least one \[\[task\]\]"),
        ('title="x"\n[[stream]]\nid="a"\nphase="later"\n' + TASK, "phase: expected one of"),
        ('title="x"\n[[stream]]\nid="a"\nneeds="b"\n' + TASK, "needs: expected a list"),
        ('title="x"\n[[stream]]\nid="a"\n[[stream.task]]\ntitle="t"\nrun=""\n', "stream 'a', task 1: run"),
        (streams(("a", ["nobody"])), "there is no stream 'nobody'"),
        (streams(("a", []), ("a", [])), "the same id"),
        (streams(("a", ["b"]), ("b", ["a"]), ("c", [])), "a, b wait for each other"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_by_place(tmp_path: Path, text: str, message: str) -> None:
    """Before anything runs."""
    with pytest.raises(PlanError, match=message):
        load(plan(tmp_path, text))


def test_a_missing_plan_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(PlanError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_the_plans_of_the_repository_are_sound() -> None:
    """They are run by `scripts/run demo`."""
    for path in (ROOT / "scripts" / "plans").glob("*.toml"):
        assert load(path).streams


def test_streams_start_when_what_they_need_is_complete(tmp_path: Path) -> None:
    """Each once; a blocked one keeps those that need it from starting, and nobody else."""
    schedule = Schedule(load(plan(tmp_path, streams(("a", []), ("b", ["a"]), ("c", ["a"]), ("d", ["b", "c"])))))
    assert [stream.id for stream in schedule.ready()] == ["a"]
    assert schedule.ready() == []
    assert not schedule.is_over
    schedule.on_event("a", "stream.progress", {})
    schedule.on_event("a", "stream.completed", {})
    assert [stream.id for stream in schedule.ready()] == ["b", "c"]
    schedule.on_event("b", "task.blocked", {"taskTitle": "t", "blockedReason": "no"})
    assert not schedule.is_over
    schedule.on_event("c", "stream.completed", {})
    assert schedule.is_over
    assert (schedule.blocked, schedule.never_started) == ({"b": ["t: no"]}, ["d"])
