"""The mistake of whoever calls a command."""


class UsageError(Exception):
    """The command was called wrongly; exit code 2."""
