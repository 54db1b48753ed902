"""The tools for agents: an MCP server over the registry, and its transports, stdio and HTTP."""
