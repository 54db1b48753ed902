"""The services of the ecosystem, each a declaration: channels, events, state, requests (docs/adding-a-service.md)."""
