"""Stand-in servers of the outside systems, over real HTTP, for the demo and the tests.

Nothing of the product imports this package; only the command line and the tests do.
"""
