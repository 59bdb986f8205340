"""The interface documentation, generated from the same contracts that the checks are compiled from."""
