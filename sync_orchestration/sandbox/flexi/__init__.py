"""Stand-in of the ABRA Flexi REST API: records, lists, imports, the Changes API and web hooks."""

from .address_book import fill_company
from .app import flexi_app
from .company import Company, OpenTransaction, RecordRefusedError
from .switches import FlexiSwitches
from .world import FlexiWorld

__all__ = [
    "Company",
    "FlexiSwitches",
    "FlexiWorld",
    "OpenTransaction",
    "RecordRefusedError",
    "fill_company",
    "flexi_app",
]
