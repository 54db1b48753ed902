"""Task Copilot Bridge: tasks for agents, with every change delivered as it happens."""

__version__ = "0.1.0"
