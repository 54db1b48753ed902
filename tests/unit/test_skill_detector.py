"""What counts as an anomaly of a skill, and what a tick says: decided without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isclose, isfinite
from statistics import fmean, pstdev

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcopilot.services.skills.detector import Deviation, Sample, deviation
from taskcopilot.services.skills.ticks import Snapshot, encode_tick, moment, recent

NOW = datetime(2026, 1, 8, 9, 30, tzinfo=UTC)


def sample(outcomes: list[bool]) -> Sample:
    """Count outcomes."""
    return Sample(len(outcomes), sum(outcomes))


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.lists(st.booleans(), min_size=5, max_size=60))
def test_the_score_is_the_z_score_of_the_samples(current: list[bool], baseline: list[bool]) -> None:
    """As the textbook has it, wherever the baseline varies; an anomaly exactly from 2.0 on, on its own side."""
    found = deviation(sample(current), sample(baseline))
    mean, spread = fmean(baseline), pstdev(baseline)
    if spread == 0:
        assert found is None or isfinite(found.score)
        return
    z = (fmean(current) - mean) / spread
    if isclose(abs(z), 2.0):
        return
    assert (found is not None) == (abs(z) >= 2.0)
    if found is not None:
        assert isclose(found.score, abs(z))
        assert found.kind == ("spike" if z > 0 else "drop")
        assert isclose(found.baseline, 100 * mean)
        assert isclose(found.observed, 100 * fmean(current))


@given(st.integers(0, 200), st.integers(0, 200), st.data())
def test_too_few_invocations_tell_nothing(now: int, before: int, data: st.DataObject) -> None:
    """At least 5 in the baseline and 2 in the last hour, however different they are."""
    current = Sample(now, data.draw(st.integers(0, now)))
    baseline = Sample(before, data.draw(st.integers(0, before)))
    if now < 2 or before < 5:
        assert deviation(current, baseline) is None
    if deviation(current, baseline):
        assert current.rate != baseline.rate


def test_five_and_two_are_enough() -> None:
    """The first failures of a skill that never failed are unusual, with a number that can be told."""
    found = deviation(Sample(2, 0), Sample(5, 5))
    assert found is not None
    assert (found.kind, found.baseline, found.observed) == ("drop", 100, 0)
    assert 2.8 < found.score < 2.9
    assert deviation(Sample(2, 2), Sample(5, 5)) is None
    assert deviation(Sample(2, 1), Sample(5, 5)) is None


def test_the_longer_nothing_failed_the_more_unusual_is_a_failure() -> None:
    """Half of the hour failed: after 5 that is nothing, after 500 a lot."""
    scores = [found.score if (found := deviation(Sample(4, 2), Sample(n, n))) else 0.0 for n in (5, 50, 500)]
    assert scores[0] == 0 < scores[1] < scores[2]


def test_the_threshold_is_used() -> None:
    """A caller that asks for more gets less."""
    assert deviation(Sample(2, 2), Sample(10, 1)) == Deviation("spike", 10, 100, pytest.approx(3.0))
    assert deviation(Sample(2, 2), Sample(10, 1), threshold=3.1) is None


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_time_means_the_same_in_every_form(at: datetime, offset: int) -> None:
    """With a T or a blank, with an offset, with Z, or with neither, which is UTC."""
    exact = at.replace(tzinfo=UTC)
    text = at.isoformat()
    for form in (text, text.replace("T", " "), text + "Z", text + "+00:00"):
        assert moment(form) == exact
    hours, minutes = divmod(abs(offset), 60)
    local = (at + timedelta(minutes=offset)).isoformat()
    assert moment(f"{local}{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}") == exact


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00", "12:00", b"2026-01-08", None])
def test_what_is_no_time_is_none(text: object) -> None:
    """A row with it is passed over, and the others are told."""
    assert moment(text) is None
    assert recent([{"detected_at": text}], NOW) == []


def test_the_last_hour_is_one_of_time_and_not_of_text() -> None:
    """Of one day, a `T` sorts after every blank: rows of early morning counted as those of the last hour."""
    told = ["2026-01-08T09:29:00", "2026-01-08 09:00:00", "2026-01-08T10:15:00+01:00", "2026-01-08T08:30:00Z"]
    missed = ["2026-01-08T00:10:00", "2026-01-08T08:29:59", "2026-01-08 09:30:01", "2026-01-08T09:00:00+05:00"]
    rows = [{"detected_at": text} for text in [*told, *missed]]
    assert [row["detected_at"] for row in recent(rows, NOW)] == [told[0], told[2], told[1], told[3]]


def test_a_tick_tells_all_or_one_skill() -> None:
    """One that is in no list, too, with its own anomalies; one that nobody used tells nothing."""
    top = [{"skill_name": f"s{number}"} for number in range(10)]
    anomalies = [{"skill_name": name} for name in ["s1", *["s2"] * 11, "rare"]]
    snapshot = Snapshot(top, anomalies, {"rare": {"skill_name": "rare"}})

    def told(skill: str | None) -> dict[str, list[dict[str, str]]]:
        said = orjson.loads(encode_tick("2026-01-08T09:30:00.000Z", snapshot, skill))
        assert list(said) == ["type", "timestamp", "data"]
        return dict(said["data"])

    assert told(None) == {"top_skills": top, "anomalies": anomalies[:10]}
    assert told("rare") == {"top_skills": [{"skill_name": "rare"}], "anomalies": [{"skill_name": "rare"}]}
    assert told("nobody") == {"top_skills": [], "anomalies": []}
