"""The table of the state machine, cell by cell, the rhythm, and the backoff."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_copilot_client.backoff import FIRST, full_jitter
from task_copilot_client.machine import RECONNECT_TRIES, TABLE, Action, Mode, Outcome, Rhythm, Situation, State, step

CELLS = [(state, outcome) for state, row in TABLE.items() for outcome in row]
ENDS = {
    Action.OPEN: {Outcome.OPENED, Outcome.REFUSED, Outcome.EXHAUSTED},
    Action.LISTEN: {Outcome.LOST, Outcome.DROPPED, Outcome.EXHAUSTED, Outcome.RESTART},
    Action.POLL: {Outcome.POLLED, Outcome.POLL_FAILED},
    Action.BACK_OFF: {Outcome.WAITED},
    Action.REST: {Outcome.WAITED, Outcome.PROBE_DUE},
    Action.FINISH: set(),
}
"""What the connection thread may report of each action."""


@pytest.mark.parametrize(("state", "outcome"), CELLS, ids=lambda value: value.name)
def test_every_cell_leads_to_an_action_whose_ends_are_known(state: State, outcome: Outcome) -> None:
    """No outcome of an action is missing where the action leads, so no thread dies of a KeyError."""
    following, action = TABLE[state][outcome]
    assert TABLE[following].keys() >= ENDS[action]
    assert (action is Action.FINISH) == (following is State.DISCONNECTED)


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_stopping_ends_it_from_everywhere(state: State) -> None:
    """Whatever happens, a disconnect is the end."""
    assert step(Situation(state), Outcome.STOPPED) == (Situation(State.DISCONNECTED), Action.FINISH)


def test_only_the_first_connect_may_end_by_itself() -> None:
    """Once connected, a client tries until it is stopped."""
    finishing = [cell for cell in CELLS if TABLE[cell[0]][cell[1]][1] is Action.FINISH]
    assert finishing == [(State.CONNECTING, Outcome.POLL_FAILED)]


@pytest.mark.parametrize("loss", [Outcome.LOST, Outcome.DROPPED])
def test_polling_takes_over_after_at_most_three_tries(loss: Outcome) -> None:
    """A lost WebSocket is tried at most three times, then the log is polled."""
    situation, action = step(Situation(State.WEBSOCKET), loss)
    tries = 0
    while action is not Action.POLL:
        assert action is Action.BACK_OFF
        situation, action = step(situation, Outcome.WAITED)
        assert action is Action.OPEN
        tries += 1
        situation, action = step(situation, Outcome.REFUSED)
    assert 0 < tries <= RECONNECT_TRIES
    assert situation.state is State.RECONNECTING


def test_a_bridge_that_accepts_and_hangs_up_does_not_keep_us_from_polling() -> None:
    """Connections on which nothing is heard count as failed tries."""
    situation = Situation(State.WEBSOCKET)
    for outcome in (Outcome.DROPPED, Outcome.WAITED, Outcome.OPENED) * (RECONNECT_TRIES - 1):
        situation, _ = step(situation, outcome)
    assert step(situation, Outcome.DROPPED)[1] is Action.POLL


def test_a_connection_that_worked_forgives_what_was_before() -> None:
    """After a good connection there are three tries again."""
    assert step(Situation(State.WEBSOCKET, failures=2), Outcome.LOST)[0].failures == 0


def test_without_websocket_the_first_refusal_leads_to_polling() -> None:
    """tries=0 is "no WebSocket wanted"."""
    assert step(Situation(State.RECONNECTING), Outcome.REFUSED, tries=0)[1] is Action.POLL


def test_modes_are_the_four_words_of_the_api() -> None:
    """Whoever connects for the first time is not connected."""
    assert {state.mode for state in State} == set(Mode)
    assert State.CONNECTING.mode == "disconnected"


@given(st.lists(st.sampled_from(list(Outcome)), max_size=60), st.integers(0, 3))
def test_any_history_keeps_the_machine_in_its_table(history: list[Outcome], tries: int) -> None:
    """Outcomes that fit the action before never leave the table, and the modes stay truthful."""
    situation, action = step(Situation(), Outcome.STARTED, tries=tries)
    for outcome in history:
        if outcome in ENDS[action] - {Outcome.EXHAUSTED}:
            situation, action = step(situation, outcome, tries=tries)
        assert (action is Action.LISTEN) <= (situation.state is State.WEBSOCKET)
        assert (action is Action.REST) <= (situation.state is State.HTTP)


def test_a_poll_goes_before_a_probe() -> None:
    """When both are due, events come first."""
    rhythm = Rhythm(30.0, 10.0)
    rhythm.polled(100.0)
    rhythm.probed(100.0)
    assert rhythm.next == (110.0, Outcome.PROBE_DUE)
    rhythm.probed(120.0)
    assert rhythm.next == (130.0, Outcome.WAITED)


def test_without_websocket_nothing_is_probed() -> None:
    """An endless probe interval never comes due."""
    rhythm = Rhythm(30.0, math.inf)
    rhythm.probed(0.0)
    rhythm.polled(1e9)
    assert rhythm.next[1] is Outcome.WAITED


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0.01, 100))
def test_a_pause_is_never_above_its_cap(failures: int, chance: float, cap: float) -> None:
    """Full jitter stays within [0, cap], for any number of failures."""
    assert 0 <= full_jitter(failures, lambda: chance, cap=cap) <= cap


@given(st.floats(0, 1, exclude_max=True))
def test_the_first_try_comes_within_a_second(chance: float) -> None:
    """A bridge that was only restarted is found at once."""
    assert full_jitter(0, lambda: chance, cap=10.0) <= FIRST < 1.0


def test_pauses_grow_until_the_cap() -> None:
    """The ceiling doubles with every failure."""
    assert [full_jitter(n, lambda: 1.0, cap=5.0) for n in range(5)] == [0.5, 1.0, 2.0, 4.0, 5.0]
