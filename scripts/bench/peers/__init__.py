"""Servers that are measured, each a process: the bridge itself, and other systems beside it."""
