"""The interface tables: every record of every sync, and what became of it."""
