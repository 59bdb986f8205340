"""A seeded long run: stand-ins, workers and the database as processes that are killed at random points."""
