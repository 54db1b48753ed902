"""Values that fit a JSON schema, as Hypothesis strategies; knows what the schemas of the tools use."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.security.json_shapes import JSON, TEXT

_PLAIN: dict[str, st.SearchStrategy[Any]] = {"boolean": st.booleans(), "null": st.none()}


def fitting(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema; patterns are not looked at, so that some values do not fit after all."""
    match schema:
        case {"$ref": str(reference)}:
            return fitting(root["$defs"][reference.rpartition("/")[2]], root)
        case {"anyOf": list(schemas)}:
            return st.one_of(*(fitting(each, root) for each in schemas))
        case {"enum": list(values)}:
            return st.sampled_from(values)
        case {"const": value}:
            return st.just(value)
    return _of_type(schema, root)


def _of_type(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema.get("type"):
        case "string":
            least = schema.get("minLength", 0)
            return TEXT.map(lambda text: text.ljust(least, "x"))
        case "integer":
            return st.integers(schema.get("minimum", -3), schema.get("maximum", 2**40))
        case "number":
            return st.floats(schema.get("minimum", -10.0), schema.get("maximum", 1e6), allow_nan=False)
        case "array":
            return st.lists(fitting(schema.get("items", {}), root), max_size=min(3, schema.get("maxItems", 3)))
        case "object":
            return _object(schema, root)
        case kind:
            return _PLAIN.get(str(kind), JSON)


def _object(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    members = schema.get("properties")
    if not members:
        return st.dictionaries(TEXT, JSON, max_size=3)
    required = set(schema.get("required", ()))
    sound = {name: fitting(each, root) for name, each in members.items()}
    return st.fixed_dictionaries(
        {name: sound[name] for name in members if name in required},
        optional={name: sound[name] for name in members if name not in required},
    )
