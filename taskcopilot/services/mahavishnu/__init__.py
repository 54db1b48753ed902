"""mahavishnu: the declaration of the service and its broadcasts, from a file per kind of thing."""

from __future__ import annotations

from taskcopilot.services.mahavishnu.declaration import SERVICE, Mahavishnu

__all__ = ["SERVICE", "Mahavishnu"]
