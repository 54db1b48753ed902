"""Runs a plan of parallel streams over the bridge: an example of an orchestrator, and a tool of its own."""
