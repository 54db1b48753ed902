"""Conversations that no decent client has, thousands of them: answered or ended, and nothing is left behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.memory import MIB
from tests.security.frames import CLOSE, TEXT, converse, frame, upgraded
from tests.security.watched import Watched

CODES = {None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1013, 4429}
"""How a conversation may end; None: without a close frame, because the peer ended it first."""

LARGE = 1 << 17
"""Twice the largest message of `/ws`."""

TOPICS = st.sampled_from(["*", "task:*", "stream:a?", "**", "nothing:x", "task:", "task:\x00", "task:" + "*a" * 9])
WISHES = st.fixed_dictionaries(
    {"type": st.sampled_from(["subscribe", "unsubscribe", "ping", "pong", "request", "event", "hello"])},
    optional={
        "id": st.none() | st.integers() | st.text(max_size=8),
        "event": st.text(max_size=8),
        "payload": st.none()
        | st.fixed_dictionaries({"topics": st.lists(TOPICS, max_size=60)}, optional={"since": st.text(max_size=8)}),
        "data": st.none()
        | st.dictionaries(st.sampled_from(["channel", "room", "token", "since"]), st.text(max_size=8)),
    },
).map(lambda wish: orjson.dumps(wish, option=orjson.OPT_NON_STR_KEYS, default=str) if _writable(wish) else b"{}")
DEEP = st.builds(
    lambda depth, opening: opening * depth, st.sampled_from([10, 1_000, 60_000]), st.sampled_from([b"[", b'{"a":'])
)
BROKEN = st.sampled_from([b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b'"\xf0\x9f', b"{", b"null", b"\x00", b"1e999"])
HUGE = st.sampled_from([65_535, 65_536, 65_537, LARGE]).map(lambda size: b" " * size)
PAYLOADS = st.one_of(st.binary(max_size=130), WISHES, WISHES, BROKEN, DEEP, HUGE)
LENGTHS = st.none() | st.sampled_from([0, 1, 125, 126, 65_536, 1 << 31, (1 << 62), (1 << 63), (1 << 64) - 1])
FRAMES = st.builds(
    frame,
    st.sampled_from([0, 1, 1, 2, 3, 7, 8, 9, 10, 11, 15]),
    PAYLOADS,
    fin=st.sampled_from([True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 1, 2, 4, 7]),
    masked=st.sampled_from([True, True, True, False]),
    declared=LENGTHS,
    form=st.sampled_from([None, None, 7, 16, 64]),
)
SOUND = WISHES.map(lambda wish: frame(TEXT, wish))
CLOSES = st.binary(max_size=6).map(lambda payload: frame(CLOSE, payload)) | st.integers(0, 5_000).map(
    lambda code: frame(CLOSE, code.to_bytes(2, "big"))
)
FLOODS = st.builds(
    lambda piece, times: piece * times,
    st.sampled_from([frame(TEXT), frame(9, b"x" * 125), frame(0, b"", fin=False), frame(1, b"{}")]),
    st.sampled_from([2, 50, 1_000]),
)


def _writable(wish: object) -> bool:
    try:
        orjson.dumps(wish)
    except TypeError:
        return False
    return True


@dataclass(repr=False)
class Case:
    """Bytes, cut into pieces at some places."""

    data: bytes
    cuts: list[int]

    def __repr__(self) -> str:
        return f"{len(self.data)} bytes from {self.data[:200]!r} to {self.data[-50:]!r}, cut at {self.cuts}"

    def pieces(self) -> list[bytes]:
        """Return the pieces, none of them empty."""
        places = [0, *sorted(cut % (len(self.data) + 1) for cut in self.cuts), len(self.data)]
        return [self.data[a:b] for a, b in itertools.pairwise(places) if a < b]


CASES = st.builds(
    Case,
    st.lists(st.one_of(SOUND, FRAMES, FRAMES, CLOSES, FLOODS, st.binary(max_size=40)), min_size=1, max_size=6).map(
        b"".join
    ),
    st.lists(st.integers(0, 1 << 16), max_size=4),
)


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("path", ["/ws", "/ws/mahavishnu"])
def test_no_conversation_does_harm(
    watched: Watched, path: str, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """C4, R5: never a crash, a traceback, a frame that is none, or anything left behind; and memory stays flat."""
    wanted, done, memory = size(500, 12_500), 0, []

    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(CASES)
    def converses(case: Case) -> None:
        nonlocal done
        done += 1
        if done % (wanted // 10) == 0:
            memory.append(watched.memory())
        with upgraded(watched.port, path) as peer:
            said = converse(peer, *case.pieces(), hang_up=True)
        assert said.close_code in CODES
        assert all(isinstance(orjson.loads(text), dict) for text in said.texts())

    with watched.holding_no_more():
        converses()
        assert watched.answers()
    assert done >= wanted
    grown = memory[-1] - memory[len(memory) // 2]
    say(f"{path}: {done} conversations, {grown / MIB:+.1f} MiB in the second half of them")
    assert grown < 8 * MIB
