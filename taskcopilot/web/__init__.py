"""HTTP and WebSocket on one port: the guard at the door, the routes, and the server."""
