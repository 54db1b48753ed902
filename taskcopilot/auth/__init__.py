"""Who may do what: tokens, what they permit, and where they may stand. Plain decisions, without I/O."""
