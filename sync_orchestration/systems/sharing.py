"""What all workers that ask one server keep together: its wishes for patience, and the turns that it has."""

from contextlib import AbstractContextManager
from typing import Protocol


class Pause(Protocol):
    """How long a server asked all its clients to wait; shared by threads, and by workers on other machines."""

    def remaining(self) -> float:
        """Return for how many seconds nobody may ask the server; 0 when it may be asked."""

    def prolong(self, seconds: float) -> None:
        """Remember that the server asked for `seconds` of patience."""


class Turns(Protocol):
    """How many requests may be under way at a server at a time; shared like its pause."""

    def turn(self) -> AbstractContextManager[None]:
        """Wait until one request more may be under way, and hold that turn for a block."""
