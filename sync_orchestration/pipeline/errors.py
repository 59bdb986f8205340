"""What stops a whole pass. Trouble with one record is never one of these: it is a status of its row.

Each message is one or two plain sentences for the person who runs the sync: what is wrong, and the way out.
"""


class SyncError(Exception):
    """A system or a setting, not a record, is at fault: the pass stops and its rows stay pending."""


class ConfigurationError(SyncError):
    """A person must change something (credentials, rights, a setting); trying again alone cannot help."""


class UnavailableError(SyncError):
    """The system cannot answer now; a later try may succeed.

    `retry_after` is the number of seconds that the server asked to wait, if it did. `may_have_acted`: the request
    perhaps arrived, and only its answer was lost.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, may_have_acted: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.may_have_acted = may_have_acted


def may_have_acted(error: SyncError) -> bool:
    """Tell whether what stopped a pass may have been acted upon all the same."""
    return isinstance(error, UnavailableError) and error.may_have_acted


class FeedResetError(ConfigurationError):
    """The source's change history is not the one that the cursor belongs to: a full read is needed."""


class TrackingOffError(ConfigurationError):
    """The source does not record changes at present; what happens meanwhile is in no feed."""


class RefusesEverythingError(SyncError):
    """The target has refused all of the first records of a pass: what is wrong there is no matter of single records."""
