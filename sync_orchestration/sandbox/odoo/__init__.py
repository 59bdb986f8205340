"""A stand-in of Odoo 18.0 and 19.0: the external API over JSON-RPC and JSON-2."""

from .app import odoo_app
from .switches import OdooSwitches
from .world import OdooWorld

__all__ = ["OdooSwitches", "OdooWorld", "odoo_app"]
