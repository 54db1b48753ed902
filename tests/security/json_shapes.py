"""JSON of any shape, as Hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["JSON", "TEXT"]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Text that can be written; surrogates cannot."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
"""Any JSON; whole numbers of any size."""
