"""The HTTP routes, a module per resource. `table.py` lists them all."""
