"""Arguments that JSON or the database cannot hold are refused by name, whichever way they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.json_values import refuse_unstorable
from tests.helpers.bridge import core


def nested(levels: int) -> Any:
    """Return lists in lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"n": 2**63}, "metadata.n"),
        ({"n": -(2**70)}, "metadata.n"),
        ({"n": float("nan")}, "metadata.n"),
        ({"n": [float("inf")]}, "metadata.n.0"),
        ({"s": "\ud800"}, "metadata.s"),
        ({"\udfff": 1}, "metadata"),
        ({"deep": nested(10_000)}, None),
    ],
)
async def test_what_cannot_be_stored_is_refused_and_changes_nothing(
    tmp_path: Path, metadata: Any, field: str | None
) -> None:
    """A clear error that names the place, no defect of ours."""
    async with core(tmp_path) as bridge:
        with pytest.raises(InvalidArgumentError) as caught:
            await bridge.call("task_create", title="t", metadata=metadata)
        assert field in (None, caught.value.field)
        assert bridge.events == []
        assert await bridge.call("task_list") == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON))
def test_everything_else_is_let_through(arguments: dict[str, Any]) -> None:
    """Any JSON of sensible depth."""
    assert refuse_unstorable(arguments) is None
