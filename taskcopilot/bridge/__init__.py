"""From the bus to the clients: protocol, sessions, subscriptions, hub. Decides; does no I/O of its own."""
