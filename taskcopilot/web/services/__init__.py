"""The services on the network: their ports, their sockets, and what health checkers and scrapers ask them."""
