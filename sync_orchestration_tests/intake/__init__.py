"""The intake over real HTTP, with a real database and a target that is a set of names."""
