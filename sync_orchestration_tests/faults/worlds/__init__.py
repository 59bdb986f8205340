"""The outside systems of each default sync, what people do in them, and what must come of it.

A world knows nothing of the product: what it wants of the target is worked out from its own records.
"""

from sync_orchestration_tests.faults.worlds.base import Deed, NothingThereError, Picture, World
from sync_orchestration_tests.faults.worlds.contractors import ContractorPartnersWorld, ContractorsWorld
from sync_orchestration_tests.faults.worlds.flexi_partners import FlexiPartnersWorld
from sync_orchestration_tests.faults.worlds.intake_partners import IntakePartnersWorld
from sync_orchestration_tests.faults.worlds.odoo_to_rest import OdooToRestWorld
from sync_orchestration_tests.faults.worlds.rest_to_odoo import RestToOdooWorld

__all__ = ["WORLDS", "Deed", "NothingThereError", "Picture", "World"]

WORLDS: dict[str, type[World]] = {
    world.sync: world
    for world in (
        FlexiPartnersWorld,
        ContractorsWorld,
        ContractorPartnersWorld,
        OdooToRestWorld,
        RestToOdooWorld,
        IntakePartnersWorld,
    )
}
