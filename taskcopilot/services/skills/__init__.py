"""Skills of assistants: what was used and how it went, counted over windows of time, and what is unusual about it."""
