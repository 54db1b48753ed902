"""The configuration files of agent hosts: what we add to them, and how exactly that comes out again."""
