"""The room protocol of the services: what clients say in any of their dialects, and what they are answered."""
