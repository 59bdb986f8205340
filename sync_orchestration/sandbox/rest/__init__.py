"""Stand-in of any CRM with a REST API: partners that it receives, contacts that it gives, in every usual dialect."""

from sync_orchestration.sandbox.rest.app import rest_app
from sync_orchestration.sandbox.rest.switches import RestSwitches
from sync_orchestration.sandbox.rest.world import RestWorld

__all__ = ["RestSwitches", "RestWorld", "rest_app"]
