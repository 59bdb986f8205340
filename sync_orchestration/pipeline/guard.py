"""The guard against a flood of deletes: more than a plausible share is held for a person's word."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeleteGuard:
    """How many records one pass may delete or archive: `share` of the known ones, but always at least `least`."""

    share: float = 0.10
    least: int = 50

    def allowed(self, known: int) -> int:
        """Return the largest number of deletes that is not suspicious among `known` records."""
        return max(self.least, int(known * self.share))


def held_message(count: int, known: int, guard: DeleteGuard) -> str:
    """Say why a delete is held and how it goes on."""
    return (
        f"{count} of {known} records would be deleted or archived in one pass, more than the {guard.share:.0%} (at "
        f"least {guard.least}) that pass unasked. If that is right, confirm: retry … --confirm-deletes."
    )
