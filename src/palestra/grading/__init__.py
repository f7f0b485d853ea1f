"""Pure functions that environments share for reading and judging answers."""
