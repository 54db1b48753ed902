"""The channel: events that wake a session of an agent, through a child process of its host."""
