"""What can be switched in the stand-in while it runs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Operation = Literal["read", "write", "create", "unlink"]


class OdooSwitches(BaseModel):
    """Installed modules, rights and the faults of Odoo that no HTTP fault can play."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_vat: bool = True
    """The module base_vat is installed: tax numbers are checked per country."""

    legacy_rpc: bool = True
    """/jsonrpc is served; a later Odoo answers 404."""

    languages: tuple[str, ...] = ("en_US",)
    """Installed languages; any other in the context is a UserError."""

    other_databases: tuple[str, ...] = ()
    """Further databases on the same server; with any, JSON-2 needs the X-Odoo-Database header."""

    deny: dict[str, tuple[Operation, ...]] = {}
    """Operations refused with an AccessError by model, whoever asks."""

    hidden: dict[str, dict[Operation, tuple[int, ...]]] = {}
    """Ids of records that a record rule keeps from an operation, by model; `read` hides them from searches, too."""

    concurrent_loads: int = 0
    """The next so many calls of load lose against another transaction on every row."""

    pool_errors: int = 0
    """The next so many object calls find no free database connection."""

    transaction_seconds: float = 0.0
    """How long ago a transaction has begun when it commits: write_date lies that far in the past."""

    simulate_costs: bool = False
    """Each call takes the time measured on a real server."""

    cost_scale: float = 1.0
    """Factor on the simulated time."""
