"""The tools: what agents and people may do. `registry.py` is the table, `dispatch.py` runs a call."""
