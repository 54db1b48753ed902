"""What the original's reading HTTP routes answer: plain functions on a snapshot that return wire models."""
