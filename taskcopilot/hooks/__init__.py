"""Hooks of agent hosts: what an agent does by itself becomes tasks and events here."""
