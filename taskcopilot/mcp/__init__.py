"""The tools for agents: an MCP server over the registry, and its stdio transport."""
