"""How one sync reads its source and lands what it reads; decided by its YAML."""

from dataclasses import dataclass
from typing import Literal

from sync_orchestration.mapping.scrub import SENSITIVE_NAMES

Feed = Literal["versions", "times", "sweep"]


@dataclass(frozen=True, slots=True)
class Landing:
    """How one sync reads its source.

    `overlap` is the number of positions behind the cursor that each read lists again, since a transaction may
    show a lower version late. `chunk` bounds the changes that are coalesced in memory before they are landed.
    `feed` says what positions are: `versions`, each the position of one change; `times`, which changes may share; or
    a `sweep`, the order of the records themselves, which has no history and is read whole. `rewinds`: times that lie
    behind the cursor everywhere are a sign of a restored backup. `pushed`: records come by themselves.
    """

    sync: str
    source_system: str
    entity: str
    window_size: int = 10_000
    overlap: int = 1_000
    fetch_batch: int = 500
    chunk: int = 100_000
    sensitive: frozenset[str] = SENSITIVE_NAMES
    feed: Feed = "versions"
    rewinds: bool = True
    pushed: bool = False
