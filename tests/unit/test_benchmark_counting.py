"""The benchmarks' load generator counts right, or all of its numbers are wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from bench.load.counting import Counter

MARKER = b"~" * 8
STREAM = b"{" + b"".join(b'{"seq":%d,"mark":"%b","x":"yy"}' % (seq, MARKER) for seq in range(5)) + MARKER


def fed(*chunks: bytes) -> int:
    """Feed the chunks through one buffer, which keeps old bytes behind the new ones as a real one does."""
    counter, buffer = Counter(MARKER), bytearray(b"~" * 300)
    found = 0
    for chunk in chunks:
        buffer[: len(chunk)] = chunk
        found += counter.feed(buffer, len(chunk))
    return found


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_marker_is_counted_once_wherever_a_read_ends(cut: int) -> None:
    """Before it, inside it, after it."""
    assert fed(STREAM[:cut], STREAM[cut:]) == 6


@pytest.mark.parametrize("size", range(1, 20))
def test_reads_shorter_than_a_marker_lose_none(size: int) -> None:
    """A marker may be spread over many reads."""
    assert fed(*(STREAM[at : at + size] for at in range(0, len(STREAM), size))) == 6
