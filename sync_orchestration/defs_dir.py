"""Where a user keeps syncs of his own; free of Dagster, for a completion asks at every key press."""

import os
from pathlib import Path

from sync_orchestration import defs as own_folder

DEFS_VARIABLE = "SYNC_DEFS_DIR"


def packages_folder() -> Path:
    """Return the folder of the syncs that are shipped."""
    return Path(own_folder.__file__).parent


def users_folder() -> Path | None:
    """Return the folder that SYNC_DEFS_DIR names, whether there is one or not; None where it names no other folder."""
    named = os.environ.get(DEFS_VARIABLE, "")
    folder = Path(named).expanduser().absolute()
    return None if not named or folder == packages_folder() else folder
